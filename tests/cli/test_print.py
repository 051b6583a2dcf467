"""The command line's --print: the picture is as large as the sheet, and its file has the dots an inch."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from PIL import Image

from minstyle.batch.main import command
from minstyle.cli.main import main
from minstyle.errors import RecipeError
from minstyle.images import Picture, load_picture
from minstyle.job.recipefile import recipe_of_picture
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Step
from minstyle.run.result import Result
from minstyle.signals import StopAskedError
from minstyle.watch.checkpoints import checkpoint_of
from minstyle.watch.interrupts import Interrupts
from tests.support.batches import Bench
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

SHORT = ["--recipe", "document", "--rounds", "1", "--evaluations", "1", "--device", "cpu"]


def words(folder: Studio, *options: object, out: str = "out.png") -> list[str]:
    pictures = (folder.content, folder.style, folder.results / out)
    return [str(word) for word in (*pictures, *SHORT, "--network", folder.network, "--quiet", *options)]


@pytest.mark.parametrize(("name", "depth"), [
    ("out.png", "8"), ("out.png", "16"), ("out.jpg", "8"), ("out.tif", "16"), ("out.webp", "8"), ("out.avif", "8"),
])  # fmt: skip
def test_the_file_has_size_and_dots_an_inch(studio: Studio, name: str, depth: str) -> None:
    """2.5 x 2 in at 20: 50 x 40 pixels, of a photograph of 40 x 32."""
    assert main(words(studio, "--print", "2.5x2in@20", "--depth", depth, out=name)) == 0
    found = load_picture(studio.results / name)
    assert found.image.shape == (40, 50, 3)
    assert found.dpi == (20, 20)
    assert recipe_of_picture(studio.results / name).sizes == (40,)  # of the height, as that recipe has it


def test_without_it_the_dots_an_inch_are_the_photographs(studio: Studio) -> None:
    Image.open(studio.content).save(studio.content, dpi=(72, 72))
    assert main(words(studio, "--size", "32")) == 0
    assert load_picture(studio.results / "out.png").dpi == (72, 72)


def test_a_result_of_the_library_is_saved_with_them(tmp_path: Path) -> None:
    content = Picture(picture(32, 40), dpi=(72, 72))
    result = Result(content.image, 0.0, (), 0.0, RECIPES["fine"], content=content)
    for dpi, told in ((None, (72, 72)), (300, (300, 300))):
        result.save(tmp_path / "out.png", dpi=dpi)
        assert load_picture(tmp_path / "out.png").dpi == told


@pytest.mark.parametrize(("options", "told"), [
    (["--print", "A4@100", "--size", "300"], "--size: not allowed with argument --print"),
    (["--print", "20x30@200"], "got '20x30@200'"),
    (["--print", "1mm@50"], "--print 1mm@50: expected sides of 32 to 100000 pixels, got 2 x 2"),
    (["--print", "A4@100", "--compare", "document"], "no option of a single run, got --print"),
])  # fmt: skip
def test_what_does_not_go_together(studio: Studio, capsys: Captured, options: list[str], told: str) -> None:
    try:
        code: object = main(words(studio, *options))
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert told in told_in_one_line(capsys)
    assert not list(studio.results.iterdir())


def test_a_sheet_needs_a_photograph(capsys: Captured) -> None:
    assert main(["--print", "A4@100", "--print-recipe"]) == 2
    assert "--print A4@100: expected CONTENT, whose size is meant, got no picture" in told_in_one_line(capsys)


def test_a_run_that_goes_on_keeps_them(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: Interrupts, step: Step) -> None:
        if step.record.evaluation == 2:
            raise StopAskedError(signal.SIGINT)

    begun = words(studio, "--print", "2.5x2in@20", "--evaluations", "4", "--checkpoint", checkpoint_of(studio.out))
    with monkeypatch.context() as patch:
        patch.setattr(Interrupts, "step", step)
        assert main(begun) == 130
    studio.out.unlink()
    assert main(["--resume", str(studio.out), "--quiet"]) == 0
    found = load_picture(studio.out)
    assert (found.image.shape, found.dpi) == ((40, 50, 3), (20, 20))


def batch(bench: Bench, *words: object) -> int:
    machine = bench.machine()
    del machine[machine.index("--size") : machine.index("--size") + 2]
    return command([*machine, "--evaluations", "1", "--quiet", "--out", str(bench.out), *map(str, words)])


def test_many_pictures_are_each_as_large_as_the_sheet(tmp_path: Path) -> None:
    """Photographs of 40 x 32 and 40 x 44; a sheet asked for at other dots an inch is another picture."""
    bench, asked = Bench(tmp_path), ("--style", tmp_path / "paintings" / "x.png", "--print", "2.5x2in@20")
    assert batch(bench, bench.photos, *asked) == 0
    found = [load_picture(bench.out / f"{name}_x.png") for name in "abc"]
    assert [picture.image.shape[:2] for picture in found] == [(40, 50), (44, 40), (40, 50)]
    assert [picture.dpi for picture in found] == [(20, 20)] * 3
    before = bench.pictures()
    assert batch(bench, bench.photos, *asked) == 0
    assert bench.pictures() == before
    assert batch(bench, bench.photos, *asked[:-1], "1.25x1in@40") == 0
    assert load_picture(bench.out / "a_x.png").dpi == (40, 40)


def test_a_table_with_sizes_of_its_own_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "t.json").write_text('[{"content": "photos/a.png", "style": "paintings/x.png", "size": 40}]')
    with pytest.raises(RecipeError, match="expected no sizes beside --print, which sets the size"):
        batch(bench, "--table", tmp_path / "t.json", "--print", "2.5x2in@20")
