"""What is written destroys nothing that is read, no other output, no pipe, no permissions: told by the file."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest

from minstyle.cli.main import main
from minstyle.images import save_image
from minstyle.job.recipefile import recipe_of_picture
from minstyle.run.observer import Step
from minstyle.watch.interrupts import Interrupts
from minstyle.weights.__main__ import main as weights_main
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

READ = ("content", "style", "initial", "mask 1", "mask 2", "recipe", "weights")
WRITTEN = ("out", "trace", "plot", "sheet", "checkpoint", "older checkpoint", "snapshot")


@pytest.fixture
def inputs(studio: Studio) -> dict[str, Path]:
    """A file of each kind that a run reads, of names that a picture can have too."""
    files = {name: studio.folder / f"{name.replace(' ', '_')}.png" for name in READ}
    for name, of in (("content", studio.content), ("style", studio.style), ("weights", studio.network)):
        shutil.copy(of, files[name])
    shutil.copy(studio.content, files["initial"])
    for name, shape in (("mask 1", (32, 40)), ("mask 2", (40, 36))):
        save_image(picture(*shape, 1) * 0, files[name])
    studio.image()
    studio.out.rename(files["recipe"])
    return files


def words(files: dict[str, Path], written: dict[str, Path]) -> list[str]:
    options = {"--trace": "trace", "--plot": "plot", "--sheet": "sheet", "--checkpoint": "checkpoint"}
    named = itertools.chain.from_iterable((key, written[name]) for key, name in options.items() if name in written)
    return [str(word) for word in (
        files["content"], files["style"], written["out"], "--recipe", files["recipe"], "--init", files["initial"],
        "--network", files["weights"], "--device", "cpu", *named, *(["--save-every", 1] * ("snapshot" in written)),
        "--quiet", "--mask", files["mask 1"], files["mask 2"])]  # fmt: skip


def placed(what: str, path: Path) -> dict[str, Path]:
    """The outputs of a run, of which one is to be the file at ``path``."""
    written = {"out": path.parent / "results" / "out.png"}
    if what == "snapshot":
        return {"out": path.with_name(path.name.replace("_eval0003", "")), "snapshot": path}
    if what == "older checkpoint":
        return {**written, "checkpoint": path.with_name(path.name.removesuffix(".old"))}
    return {**written, what: path}


def name_for(what: str) -> str:
    """A name that makes a file at it the output."""
    return {"snapshot": "taken_eval0003.png", "older checkpoint": "taken.old"}.get(what, "taken.png")


@pytest.mark.parametrize("what", WRITTEN)
def test_no_output_is_a_file_that_is_read(studio: Studio, inputs: dict[str, Path], capsys: Captured, what: str) -> None:
    """All pairs; the input has the output's name, or that is a link to it."""
    for of, how in itertools.product(READ, ("itself", "symbolic link", "hard link")):
        data = inputs[of].read_bytes()
        place = studio.folder / name_for(what)
        files = inputs
        if how == "itself":
            shutil.copy(inputs[of], place)
            files = {**inputs, of: place}
        elif how == "symbolic link":
            place.symlink_to(inputs[of])
        else:
            place.hardlink_to(inputs[of])
        assert main(words(files, placed(what, place))) == 2, (of, how)
        line = told_in_one_line(capsys)
        assert f"{place} is one of the files that are read: write to another" in line
        assert (place.read_bytes(), inputs[of].read_bytes()) == (data, data)
        place.unlink()
    assert os.listdir(studio.results) == []


PAIRS = [
    ["--trace", "out.png"], ["--sheet", "out.png"], ["--plot", "out.png"], ["--checkpoint", "out.png"],
    *(list(pair) for pair in itertools.permutations(["--trace", "--sheet", "--plot", "--checkpoint"], 2)),
    *([name, f"out.png.checkpoint{end}"] for name in ("--trace",) for end in ("", ".old", ".new")),
    *(["--save-every", "1", name, "out_eval0003.png"] for name in ("--trace", "--sheet", "--plot", "--checkpoint")),
    ["--save-every", "round", "--sheet", "out_round01.png"],
]  # fmt: skip


@pytest.mark.parametrize("given", PAIRS, ids=" ".join)
def test_no_two_outputs_are_one_file(
    studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    """Also where the file is not there yet, is named in another way, or in letters of another case."""
    monkeypatch.chdir(studio.folder)
    (studio.folder / "folder").symlink_to(studio.results)
    if given[1].startswith("--"):
        given = [given[0], str(studio.results / "a.png"), given[1], "a.png"]
    *before, name = given
    for folder in (studio.results, Path("results"), Path("results/../results"), Path("folder")):
        for spelled in (name, name.upper()):
            (option,) = before[-1:]
            assert studio.run("--quiet", *before, folder / spelled) == 2, (option, folder / spelled)
            line = told_in_one_line(capsys)
            assert "would be written twice" in line
            assert os.listdir(studio.results) == []


@pytest.mark.parametrize(("name", "every"), [
    ("out_eval0002.png", "round"), ("out_eval0002.png", "3"), ("out_eval00002.png", "2"), ("out_eval0000.png", "2"),
    ("out_round01.png", "1"), ("out_round001.png", "round"), (f"out_eval{'4' * 200}.png", "2"),
])  # fmt: skip
def test_a_snapshot_that_this_run_never_writes_may_be_read(studio: Studio, name: str, every: str) -> None:
    start = studio.results / name
    save_image(picture(32, 40, 3), start)
    before = start.read_bytes()
    studio.image("--init", start, "--save-every", every)
    assert start.read_bytes() == before


@pytest.mark.parametrize(("name", "every"), [
    ("out_eval0002.png", "1"), ("out_eval0002.png", "2"), ("out_eval10000.png", "5"), ("out_round02.png", "round"),
    ("out_round100.png", "round"),
])  # fmt: skip
def test_a_snapshot_that_this_run_may_write_is_not_read(
    studio: Studio, capsys: Captured, name: str, every: str
) -> None:
    start = studio.results / name
    save_image(picture(32, 40, 3), start)
    assert studio.run("--quiet", "--init", start, "--save-every", every) == 2
    assert f"{name} is one of the files that are read: write to another" in told_in_one_line(capsys)


def test_names_that_differ_are_files_of_their_own_where_the_system_tells_them_apart(studio: Studio) -> None:
    """What is there, the system itself tells."""
    for name in ("RUN.JSONL", "OUT_EVAL0003.PNG"):
        (studio.results / name).write_text("someone's")
    if not (studio.results / "run.jsonl").exists():
        studio.image("--trace", studio.trace, "--save-every", "3")
        assert (studio.results / "RUN.JSONL").read_text() == "someone's"


def test_the_recipes_of_a_comparison_are_not_written_over(studio: Studio, capsys: Captured) -> None:
    studio.image()
    recipe, weights = studio.folder / "recipe.png", studio.folder / "weights.png"
    studio.out.rename(recipe)
    shutil.copy(studio.network, weights)
    for path in (recipe, weights):
        studio.out, before = path, path.read_bytes()
        assert studio.run("--quiet", "--network", weights, "--compare", f"document,{recipe}:style-weight=2") == 2
        assert "is one of the files that are read: write to another" in told_in_one_line(capsys)
        assert path.read_bytes() == before


def test_the_checkpoint_that_a_run_goes_on_from_is_not_written_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def stop(self: Interrupts, step: Step) -> None:
        raise KeyboardInterrupt

    kept = studio.folder / "kept"
    with monkeypatch.context() as patch:
        patch.setattr(Interrupts, "step", stop)
        assert studio.run("--quiet", "--checkpoint", kept) == 130
    capsys.readouterr()
    for more in (["--no-checkpoint"], ["--checkpoint", str(studio.folder / "new")]):
        before = kept.read_bytes()
        assert main(["--resume", str(kept), *more, "--trace", str(kept), "--quiet"]) == 2
        assert "kept is one of the files that are read" in told_in_one_line(capsys)
        assert kept.read_bytes() == before
    recipe = studio.folder / "recipe.json"
    recipe.write_text(recipe_of_picture(studio.out).to_json())
    assert main(["--resume", str(kept), "--recipe", str(recipe), "--trace", str(recipe), "--quiet"]) == 2
    assert "recipe.json is one of the files that are read" in told_in_one_line(capsys)


@pytest.mark.parametrize("option", ["OUT", "--trace", "--plot", "--sheet", "--checkpoint"])
def test_a_pipe_as_output_is_refused_in_one_line(studio: Studio, capsys: Captured, option: str) -> None:
    pipe = studio.results / "pipe.png"
    os.mkfifo(pipe)
    if option == "OUT":
        studio.out = pipe
    assert studio.run("--quiet", *([] if option == "OUT" else [option, pipe])) == 2
    assert "pipe.png: it is a pipe or a device; name a file" in told_in_one_line(capsys)
    assert os.listdir(studio.results) == ["pipe.png"]


def test_a_picture_that_is_painted_again_keeps_its_permissions(studio: Studio) -> None:
    for mode in (0o600, 0o664):
        studio.image()
        os.chmod(studio.out, mode)
        studio.image()
        assert studio.out.stat().st_mode & 0o777 == mode


def test_weights_are_not_converted_onto_themselves(studio: Studio, capsys: Captured) -> None:
    link, before = studio.folder / "link.h5", studio.network.read_bytes()
    link.hardlink_to(studio.network)
    for target in (studio.network, link):
        assert weights_main(["convert", str(studio.network), str(target)]) == 2
        assert "is one of the files that are read: write to another" in capsys.readouterr().err
    place = studio.folder / "weights" / "vgg19.h5"
    place.parent.mkdir()
    place.symlink_to(studio.network)
    for source in (place, studio.network):
        command = ["fetch", "vgg19", "--from", str(source), "--weights-dir", str(place.parent)]
        assert weights_main(command) == 2
        assert "is one of the files that are read: write to another" in capsys.readouterr().err
    assert studio.network.read_bytes() == before
