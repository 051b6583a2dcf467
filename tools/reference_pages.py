"""Write the pages of docs/reference/ that come from the code: ``python tools/reference_pages.py``."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Collection
from pathlib import Path

from minstyle.batch.options import build_parser as batch_parser
from minstyle.cli.parser import build_parser
from minstyle.job.options import GROUPS, option_fields
from minstyle.recipe.presets import DEFAULT_RECIPE, RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.settings import short

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made by tools/reference_pages.py from the code: change it there. -->\n"
RECIPE = f"""\
A recipe is a `minstyle.Recipe`: a `name`, `terms` (each a loss, a layer and a weight), a `description`, and these
settings. Each is an option of the command line and a keyword of `minstyle.stylize`; several values are a tuple in
Python, a list in JSON, and parted by commas in a terminal. A field that a JSON file leaves out has the default. The
presets differ from those: `{DEFAULT_RECIPE}`, the recipe of who names none, has the values of the third column."""


def pages() -> dict[str, str]:
    """The pages by file name."""
    return {"options.md": options_page(), "recipe.md": recipe_page()}


def options_page() -> str:
    """Every option of the command line, as ``--help`` has it."""
    intro = "`python -m minstyle CONTENT STYLE [STYLE ...] OUT [options]`, as `--help` has them."
    parts = [f"# Options\n\n{MADE}\n{intro}\n", *_option_tables(build_parser(), "##")]
    known = {name for action in build_parser()._actions for name in action.option_strings}
    known -= {"--sheet", "--overwrite", "--quiet"}  # which say something else there
    intro = (
        "`python -m minstyle batch CONTENT [CONTENT ...] --style STYLE [STYLE ...] --out DIR [options]` has those "
        "of the recipe, the file, the network and the machine, and these of its own."
    )
    return "\n".join([*parts, f"## Many pictures\n\n{intro}\n", *_option_tables(batch_parser(), "###", known)])


def _option_tables(parser: argparse.ArgumentParser, head: str, without: Collection[str] = ()) -> list[str]:
    """A table for each group of options."""
    parts = []
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.option_strings]
        actions = [action for action in actions if action.option_strings[-1] not in without]
        if actions:
            rows = [(_option(action), _cell(action.help or "")) for action in actions]
            title = "general" if group.title == "options" else str(group.title)
            parts.append(f"{head} {title[0].upper()}{title[1:]}\n\n{_table(('option', 'what it does'), rows)}")
    return parts


def _option(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or ",".join(action.choices or ())
    return ", ".join(f"`{name} {value}`" if value else f"`{name}`" for name in action.option_strings).replace(
        "|", "\\|"
    )


def recipe_page() -> str:
    """Every field of a recipe."""
    text = f"# Fields of a recipe\n\n{MADE}\n{RECIPE}\n"
    parts = [text]
    for group in GROUPS:
        fields = [field for field in option_fields() if field.metadata["group"] == group]
        rows = [(f"`{field.name}`", f"`{_value(field.default)}`", _value(getattr(RECIPES[DEFAULT_RECIPE], field.name)),
                 _range(field), _cell(field.metadata["help"])) for field in fields]  # fmt: skip
        head = ("field", "default", f"`{DEFAULT_RECIPE}`", "may be", "what it is")
        parts.append(f"## {group[0].upper()}{group[1:]}\n\n{_table(head, rows)}")
    presets = [(f"`{recipe.name}`", recipe.description) for recipe in RECIPES.values()]
    parts.append(f"## Presets\n\n{_table(('name', 'what it is'), presets)}")
    assert {field.name for field in option_fields()} < {field.name for field in dataclasses.fields(Recipe)}
    return "\n".join(parts)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: dataclasses.Field[object]) -> str:
    data = field.metadata
    if data["choices"]:
        return ", ".join(data["choices"])
    low, high = (None if data[name] is None else short(data[name]) for name in ("minimum", "maximum"))
    return "" if low is None else f"{low} or more" if high is None else f"{low} to {high}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
