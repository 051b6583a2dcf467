"""minstyle batch: many pictures by one command, which can be ended anywhere and given again."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minstyle.batch.sheet as sheets
import minstyle.style.shared_targets as shared
from minstyle.batch.main import command
from minstyle.cli.main import main
from minstyle.images import load_image, save_image
from minstyle.job.recipefile import recipe_of_picture
from minstyle.run.observer import Step
from minstyle.signals import StopAskedError
from minstyle.watch.interrupts import Interrupts
from tests.support.batches import Bench
from tests.support.small import picture
from tests.support.studio import Captured, told_in_one_line

ALL = ["a_x.png", "a_y.png", "b_x.png", "b_y.png", "c_x.png", "c_y.png"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def count_targets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The shapes of the style pictures whose targets are computed from here on."""
    found, computed = shared.style_targets, list[Any]()

    def watched(styles: Any, *rest: Any) -> Any:
        computed.append([style.shape for style in styles])
        return found(styles, *rest)

    monkeypatch.setattr(shared, "style_targets", watched)
    return computed


def test_all_by_all_and_what_is_done_is_not_done_again(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = count_targets(monkeypatch)
    assert bench.all() == 0
    said = capsys.readouterr()
    assert said.out == f"{bench.out}: 6 of 6 pictures painted\n"
    assert "6/6 pictures, 0 s left" in said.err.splitlines()[-1]
    first = bench.pictures()
    assert list(first) == ALL
    assert load_image(bench.out / "contact_sheet.jpg").shape[0] > 256
    assert computed == 2 * [[(32, 40, 3)]] + 2 * [[(44, 40, 3)]], "for each painting at each size once, the small first"
    assert bench.all() == 0
    assert capsys.readouterr().out == f"{bench.out}: 0 of 6 pictures painted, 6 were done already\n"
    assert bench.pictures() == first
    assert len(computed) == 4


def test_a_picture_is_that_of_a_single_run(bench: Bench) -> None:
    assert bench.run(bench.photos / "a.png", "--style", bench.paintings / "x.png", "--quiet") == 0
    single = bench.folder / "single.png"
    assert main([str(bench.photos / "a.png"), str(bench.paintings / "x.png"), str(single), *bench.machine()]) == 0
    np.testing.assert_array_equal(load_image(bench.out / "a_x.png"), load_image(single))
    assert recipe_of_picture(bench.out / "a_x.png") == recipe_of_picture(single)


def test_what_is_no_longer_so_is_painted_again(bench: Bench, capsys: Captured) -> None:
    words = [bench.photos / "a.png", "--style", bench.paintings]
    assert bench.run(*words, "--quiet") == 0
    first = bench.pictures()
    save_image(picture(40, 36, 77), bench.paintings / "y.png")
    assert bench.run(*words) == 0
    assert "1 of 2 pictures painted, 1 was done already" in capsys.readouterr().out
    second = bench.pictures()
    assert {name for name in first if second[name] != first[name]} == {"a_y.png"}
    for changed in (["--style-weight", 7], ["--style-weight", 7, "--depth", 16]):
        assert bench.run(*words, *changed) == 0
        assert "2 of 2 pictures painted" in capsys.readouterr().out


@pytest.mark.parametrize("evaluations", [2, 7])
def test_the_same_command_goes_on_and_makes_the_same(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch, evaluations: int
) -> None:
    """In the midst of the first picture, and with one done."""
    words = [bench.photos, "--style", bench.paintings / "x.png", "--quiet", "--optimizer", "lbfgs", "--depth", "16"]
    with monkeypatch.context() as patched:
        seen = []

        def step(self: Interrupts, step: Step) -> None:
            seen.extend([] if step.ends_round else [step])
            if len(seen) == evaluations:
                self.asked = 2
                raise StopAskedError(2)

        patched.setattr(Interrupts, "step", step)
        assert bench.run(*words) == 130
    left = 3 - evaluations // 4
    assert f"{left} of 3 pictures are still to be painted: the same command goes on" in capsys.readouterr().err
    assert not (bench.out / "contact_sheet.jpg").exists()
    assert [path.name for path in bench.out.glob("*.checkpoint")] == [f"{'ac'[evaluations // 4]}_x.png.checkpoint"]
    count: list[bool] = []
    monkeypatch.setattr(Interrupts, "step", lambda self, step: count.append(not step.ends_round))
    assert bench.run(*words) == 0
    assert sum(count) + evaluations <= 3 * 4 + 1, "what was evaluated before was not for nothing"
    after = bench.pictures()
    assert list(after) == ["a_x.png", "b_x.png", "c_x.png"], "and no checkpoint is left"
    shutil.rmtree(bench.out)
    assert bench.run(*words) == 0
    assert {name for name in after if not same(after[name], bench.out / name)} == set()


def same(written: bytes, path: Path) -> bool:
    return np.array_equal(load_image(written), load_image(path))


def test_a_checkpoint_of_another_recipe_is_begun_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [bench.photos / "a.png", "--style", bench.paintings / "x.png", "--quiet"]
    with monkeypatch.context() as patched:

        def step(self: Interrupts, step: Step) -> None:
            if step.record.evaluation == 2:
                self.asked = 15
                raise StopAskedError(15)

        patched.setattr(Interrupts, "step", step)
        assert bench.run(*words) == 128 + 15
    assert bench.run(*words, "--style-weight", "3") == 0
    assert recipe_of_picture(bench.out / "a_x.png").style_weight == 3
    assert list(bench.pictures()) == ["a_x.png"]


def test_one_failure_ends_no_other(bench: Bench, capsys: Captured) -> None:
    (bench.photos / "broken.jpg").write_bytes(b"no picture")
    save_image(picture(20, 40, 3), bench.photos / "small.png")
    whole = (bench.photos / "a.png").read_bytes()
    (bench.photos / "half.png").write_bytes(whole[: len(whole) // 2])  # whose header is good
    assert bench.run(bench.photos, "--style", bench.paintings / "x.png") == 2
    said = capsys.readouterr()
    assert said.out == f"{bench.out}: 3 of 6 pictures painted, 3 failed\n"
    lines = [line for line in said.err.splitlines() if "left" not in line]
    assert [line.split(": ")[1] for line in lines] == ["broken_x.png", "small_x.png", "half_x.png", "error"]
    assert "not a picture of a known format" in lines[0]
    assert "from 32 to 100000, got 20" in lines[1]
    assert lines[-1] == "minstyle: error: 3 of 6 pictures could not be painted"
    assert list(bench.pictures()) == ["a_x.png", "b_x.png", "c_x.png"]


def test_a_mistake_of_ours_ends_no_other(bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    import minstyle.job.one_of_many as module

    paint, calls = module.paint, []

    def mistaken(*given: Any) -> Any:
        calls.append(given)
        return paint(*given) if len(calls) != 2 else [][0]

    monkeypatch.setattr(module, "paint", mistaken)
    assert bench.run(bench.photos, "--style", bench.paintings / "x.png", "--quiet") == 2
    assert "c_x.png: a mistake in minstyle, please report it: IndexError" in capsys.readouterr().err
    assert list(bench.pictures()) == ["a_x.png", "b_x.png"]


def test_one_by_one_and_names(bench: Bench, capsys: Captured) -> None:
    photos = [bench.photos / "c.png", bench.photos / "a.png"]
    words = [*photos, "--style", bench.paintings, "--zip", "--quiet", "--evaluations", 1]
    assert bench.run(*words, "--name", "{number}-{style}-{content}-{recipe}.jpg") == 0
    assert list(bench.pictures()) == ["1-x-c-document.jpg", "2-y-a-document.jpg"]
    assert bench.run(bench.photos, "--style", bench.paintings, "--zip") == 2
    assert "--zip: expected 3 styles, as many as photographs, got 2" in told_in_one_line(capsys)


def test_patterns_folders_and_files_are_each_picture_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.photos / "notes.txt").write_text("no picture")
    monkeypatch.chdir(bench.folder)
    words = ["photos/[ab].png", "photos/a.png", "--style", "paintings/x*", "--quiet", "--evaluations", 1]
    assert bench.run(*words) == 0
    assert list(bench.pictures()) == ["a_x.png", "b_x.png"]


@pytest.mark.parametrize("kind", ["json", "csv", "tsv"])
def test_a_table_of_pictures(bench: Bench, kind: str) -> None:
    table = bench.folder / f"table.{'json' if kind == 'json' else 'csv'}"
    if kind == "json":
        table.write_text("""[{"content": "photos/a.png", "style": "paintings/x.png", "style_weight": 3},
                             {"content": "photos/a.png", "style": ["paintings/x.png", "paintings/y.png"],
                              "blend": [1, 3], "out": "both.png", "recipe": "gatys"}]""")
    else:
        lines = ["content,style,out,recipe,style_weight,blend", "photos/a.png,paintings/x.png,,,3,",
                 'photos/a.png, paintings/x.png;paintings/y.png,both.png,gatys,,"1,3"']  # fmt: skip
        text = "\n".join(lines)
        table.write_text(text.replace(',"1,3"', "\t1,3").replace(",", "\t").replace("1\t3", "1,3")
                         if kind == "tsv" else text)  # fmt: skip
    assert bench.run("--table", table, "--quiet", "--evaluations", 1) == 0
    assert list(bench.pictures()) == ["a_x.png", "both.png"]
    assert recipe_of_picture(bench.out / "a_x.png").style_weight == 3
    mixed = recipe_of_picture(bench.out / "both.png")
    assert (mixed.name, mixed.blend, mixed.rounds) == ("gatys", (1, 3), 1)


@pytest.mark.parametrize(("text", "told"), [
    ("[]", "expected 1 to 100000 rows, got 0"), ("{}", "expected a list of objects, got dict"),
    ("[", "expected JSON"), ('[{"content": "a.png"}]', "row 1: expected content and style, got content"),
    ('[{"content": "a.png", "style": "x.png", "colour": "red"}]', "row 1: unknown setting 'colour'"),
    ('[{"content": "a.png", "style": "x.png", "ouut": "a.png"}]', "unknown setting 'ouut': did you mean out?"),
    ('[{"contnet": "a.png", "style": "x.png"}]', "got contnet, style; did you mean content?"),
    ('[{"content": "photos/a.png", "style": "paintings/x.png"}, {"content": "gone.png", "style": "paintings/x.png"}]',
     "gone.png not found: expected a picture file"),
    ('[{"content": "photos/a.png", "style": "paintings/x.png", "mask": ["photos/b.png", "gone.png"]}]', "not found"),
    ('[{"content": "a.png", "style": "x.png", "style_weight": "much"}]', "row 1: style_weight: expected a value"),
    ('[{"content": "a.png", "style": 5}]', "row 1: style: expected file names"),
    ('[{"content": "a.png", "style": "x.png", "out": "../up.png"}]', "expected the name of a picture in the folder"),
    ('[{"content": "a.png", "style": "x.png", "blend": [1, 2]}]', "blend"),
])  # fmt: skip
def test_a_wrong_table_is_told_in_one_line(bench: Bench, capsys: Captured, text: str, told: str) -> None:
    table = bench.folder / "table.json"
    table.write_text(text)
    assert bench.run("--table", table) == 2
    assert told in told_in_one_line(capsys)
    assert not bench.out.exists()


PHOTO, PAINTING = "photos/a.png", "paintings/x.png"


@pytest.mark.parametrize(("words", "told"), [
    ([], "CONTENT, --style are missing: expected CONTENT, --style STYLE and --out DIR"),
    (["--out", ""], "expected the name of a file or a folder"),
    ([PHOTO], "--style is missing"), (["--style", PAINTING], "CONTENT is missing"),
    ([PHOTO, "--style", PAINTING, "--name", "same.jpg", "photos/b.png"], "two pictures would be called same.jpg"),
    ([PHOTO, "--style", PAINTING, "--name", "{painter}.png"], "'{painter}.png'"),
    ([PHOTO, "--style", PAINTING, "--name", "up/{content}.png"], "the name of a picture in the folder"),
    ([PHOTO, "--style", PAINTING, "--name", "{content}.xyz"], "ending in .png"),
    ([PHOTO, "--style", PAINTING, "--name", "{content"], "'{content'"),
    ([PHOTO, "--style", PAINTING, "--out", "photos"], "--out must not be a folder that files are read from"),
    ([PHOTO, "--style", PAINTING, "--out", f"{PAINTING}/in"], "x.png/in: cannot be made (Not a directory)"),
    ([PHOTO, "--style", PAINTING, "--out", PAINTING], "--out paintings/x.png: cannot be made (File exists)"),
    ([PHOTO, "--style", PAINTING, "--sheet", PHOTO], "photos/a.png is one of the files that are read"),
    ([PHOTO, "--style", PAINTING, "--sheet", "out/a_x.png"], "out/a_x.png would be written twice"),
    (["nothing*", "--style", PAINTING], "no file matches nothing*"),
    (["empty", "--style", PAINTING], "the folder empty has no pictures in it"),
    ([PHOTO, "--style", PAINTING, "--blend", "1,2"], "blend"),
    ([PHOTO, "--style", PAINTING, "--seize", "3"], "--seize"),
    ([PHOTO, "--style", PAINTING, "--estimate"], "--estimate; batch has no --estimate: try it on one picture. See"),
    ([PHOTO, "--style", PAINTING, "--color", "contnt"], "luminance', 'match', 'match-after'); did you mean content?"),
    ([PHOTO, "--style", "gone.png"], "gone.png not found: expected a picture file"),
    (["gone", "--style", PAINTING], "gone not found: expected a picture file"),
    (["https://host/a.png", "--style", PAINTING], "https://host/a.png is a web address"),
    ([PHOTO, "--style", PAINTING, "--init", "gone.png"], "gone.png not found: expected a picture file"),
    ([PHOTO, "--style", PAINTING, "--network", "gone.h5"], "unknown network 'gone.h5'"),
    ([PHOTO, "--style", PAINTING, "--table", "t.csv"], "--table: expected no CONTENT"),
    (["--table", "t.csv"], "t.csv: cannot be read"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(bench.folder)
    (bench.folder / "empty").mkdir()
    before = sorted(bench.folder.rglob("*.png"))
    assert bench.run("--out", "out", *words) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert (captured.out, told in line) == ("", True), line
    assert sorted(bench.folder.rglob("*.png")) == before


def test_a_picture_of_somebody_else_is_not_written_over(bench: Bench, capsys: Captured) -> None:
    bench.out.mkdir()
    shutil.copy(bench.photos / "a.png", bench.out / "a_x.png")
    assert bench.all() == 2
    assert "a_x.png: expected a new file, or a picture that minstyle made" in told_in_one_line(capsys)
    assert list(bench.pictures()) == ["a_x.png"]
    assert bench.all("--overwrite", "--quiet") == 0
    assert list(bench.pictures()) == ALL
    assert recipe_of_picture(bench.out / "a_x.png").name == "document"


def test_in_bands_the_pictures_and_the_shared_targets_are_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [bench.photos, "--style", bench.paintings / "x.png", "--quiet"]
    assert bench.run(*words) == 0
    whole = {name: load_image(bench.out / name) for name in bench.pictures()}
    shutil.rmtree(bench.out)
    computed = count_targets(monkeypatch)
    assert bench.run(*words, "--bands", 2) == 0
    assert len(computed) == 2, "for each size once"
    assert list(bench.pictures()) == list(whole)
    for name, image in whole.items():
        assert abs(load_image(bench.out / name) - image).max() <= 1


def test_with_a_shorter_history_for_want_of_memory_it_goes_on_and_is_done(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    import minstyle.job.job as module

    fitted = module.fitted

    def scarce(estimator: Any, recipe: Any, *rest: Any, **more: Any) -> Any:
        return fitted(estimator, dataclasses.replace(recipe, history=3), *rest, **more)

    words = [bench.photos / "a.png", "--style", bench.paintings / "x.png", "--optimizer", "lbfgs"]
    with monkeypatch.context() as patched:

        def step(self: Interrupts, step: Step) -> None:
            if step.record.evaluation == 2:
                self.asked = 15
                raise StopAskedError(15)

        patched.setattr(module, "fitted", scarce)
        patched.setattr(Interrupts, "step", step)
        assert bench.run(*words) == 128 + 15
    assert bench.run(*words) == 0
    assert recipe_of_picture(bench.out / "a_x.png").history == 3, "it went on as it was begun"
    capsys.readouterr()
    assert bench.run(*words) == 0
    assert "0 of 1 pictures painted, 1 was done already" in capsys.readouterr().out
    assert bench.run(*words, "--history", 4) == 0
    assert "1 of 1 pictures painted" in capsys.readouterr().out


def test_a_picture_that_takes_more_memory_than_allowed_fails_alone(bench: Bench, capsys: Captured) -> None:
    save_image(picture(900, 1200, 3), bench.photos / "large.png")
    from minstyle.memory import resident

    words = [bench.photos, "--style", bench.paintings / "x.png", "--quiet", "--memory", resident() + 60_000_000]
    assert bench.run(*words) == 2
    assert "large_x.png: memory: expected a run that takes at most" in capsys.readouterr().err
    assert len(bench.pictures()) == 3


def test_everything_that_is_missing_is_said_at_once(capsys: Captured) -> None:
    for words, told in (
        ([], "CONTENT, --style, --out are missing: expected CONTENT, --style STYLE and --out DIR"),
        (["--table", "t.csv"], "--out is missing: expected --table FILE and --out DIR"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command(words)
        assert told in capsys.readouterr().err


def test_help_is_short_and_help_all_is_not(capsys: Captured) -> None:
    told = []
    for words in (["--help"], ["--help", "all"]):
        with pytest.raises(SystemExit, match="0"):
            command(words)
        told.append(capsys.readouterr().out)
    brief, whole = told
    assert "minstyle batch photos --style painting.jpg --out pictures\n" in brief
    assert "--betas" not in brief
    assert "--betas" in whole
    assert len(brief.splitlines()) < 100
    assert "more options: minstyle batch --help all" in brief


def test_the_sheet_has_what_earlier_commands_painted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[list[str]] = []

    def watched(pictures: Any, **rest: Any) -> Any:
        labels.append([label for label, _ in pictures])
        return laid_out(pictures, **rest)

    laid_out = sheets.grid
    monkeypatch.setattr(sheets, "grid", watched)
    out = bench.folder / "deep" / "er"  # neither of which is there
    words = ["--style", bench.paintings / "x.png", "--quiet", "--evaluations", 1, "--out", out]
    assert bench.run(bench.photos / "a.png", bench.photos / "c.png", *words) == 0
    save_image(picture(40, 40, 1), out / "of somebody.png")
    assert bench.run(bench.photos / "b.png", *words) == 0
    assert labels == [["a_x", "c_x"], ["b_x", "a_x", "c_x"]]
