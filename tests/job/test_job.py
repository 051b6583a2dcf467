"""job/: a job is data, what it needs is checked before any work, and what came out is saved with all it carries."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minstyle.errors import FileError, ImageError, MinstyleError, RecipeError
from minstyle.images import Picture, load_image, load_picture, save_image, save_picture
from minstyle.job.comparison import paint_comparison
from minstyle.job.job import Job, paint, prepare
from minstyle.job.machine import Machine, Networks, load_networks
from minstyle.job.output import save_or_rescue
from minstyle.network.vgg import Network
from minstyle.network.weightfile import write_weights
from minstyle.notices import LABEL_LEFT_OUT, MASK_RESAMPLED, NO_STROKES, ONE_REGION, Notice
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Observer, Plan, Step
from minstyle.run.stylize import stylize
from tests.support.small import picture, random_weights

SHORT = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=1, evaluations=3)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    save_image(picture(32, 40, 1), tmp_path / "photo.png")
    save_image(picture(40, 36, 2), tmp_path / "painting.png")
    write_weights(tmp_path / "net.h5", random_weights("vgg19", (2, 3, 3, 4, 4)))
    machine = Machine(str(tmp_path / "net.h5"), device="cpu")
    return Job(tmp_path / "photo.png", (tmp_path / "painting.png",), tmp_path / "out.png", SHORT, machine=machine)


def changed(job: Job, **changes: Any) -> Job:
    return dataclasses.replace(job, **changes)


class Steps(Observer):
    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.steps: list[Step] = []

    def start(self, plan: Plan) -> None:
        self.plan = plan

    def step(self, step: Step) -> None:
        self.steps.append(step)


def test_a_job_paints_what_the_library_does_and_says_nothing(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    prepared, steps = prepare(job), Steps()
    assert not job.out.exists()
    result = paint(prepared, [steps])
    assert capfd.readouterr() == ("", "")
    assert steps.plan is not None
    assert len([step for step in steps.steps if not step.ends_round]) == result.evaluations
    expected = stylize(load_image(job.content), [load_image(job.styles[0])], SHORT, network=prepared.networks.network)
    np.testing.assert_array_equal(result.image, expected.image)
    np.testing.assert_array_equal(load_image(job.out), np.rint(result.image))


def test_the_files_of_a_job_are_written_and_carry_what_belongs_to_them(job: Job) -> None:
    deep = Picture(
        picture(32, 40, 1) + 0.3, np.linspace(1, 0.2, 32 * 40, dtype=np.float32).reshape(32, 40), dpi=(72, 72)
    )
    save_picture(deep.image, job.content, opacity=deep.opacity, depth=16, dpi=deep.dpi)
    folder = job.out.parent
    full = changed(job, trace=folder / "t.jsonl", sheet=folder / "sheet.png", save_every=0)
    paint(prepare(full))
    for name in ("t.jsonl", "sheet.png", "out_round01.png"):
        assert (folder / name).is_file()
    made = load_picture(job.out)
    assert made.depth == 16
    assert made.dpi == pytest.approx((72, 72), abs=0.1)
    assert made.opacity is not None
    np.testing.assert_allclose(made.opacity, deep.opacity, atol=0.01)
    paint(prepare(changed(full, depth=8)))
    assert load_picture(job.out).depth == 8


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"out": "photo.png"}, FileError, "is one of the files that are read"),
    ({"initial": "out.png"}, ImageError, "out.png not found"),
    ({"out": "no/out.png"}, FileError, "does not exist"),
    ({"content": "gone.png"}, ImageError, "gone.png not found"),
    ({"masks": ("photo.png",)}, RecipeError, "masks: expected 2: one for the photograph and one for each style, got 1"),
    ({"recipe": dataclasses.replace(SHORT, blend=(1, 2))}, RecipeError, "blend"),
    ({"trace": "no/t.jsonl"}, FileError, "t.jsonl"),
    ({"trace": "photo.png"}, FileError, "photo.png is one of the files that are read: write to another"),
    ({"sheet": "painting.png"}, FileError, "painting.png is one of the files that are read"),
    ({"sheet": "out.png"}, FileError, "out.png would be written twice"),
    ({"trace": "run.jsonl", "plot": "run.jsonl"}, FileError, "run.jsonl would be written twice"),
    ({"content": "out_round01.png", "save_every": 0}, FileError, "out_round01.png is one of the files that are read"),
    ({"content": "small.png"}, ImageError, r"content .*small\.png: expected at least 32 x 32 pixels, got 40 x 20"),
    ({"styles": ("small.png",)}, ImageError, r"style .*small\.png: expected at least 32 x 32 pixels"),
    ({"machine": Machine("vgg99")}, MinstyleError, "unknown network 'vgg99'"),
])  # fmt: skip
def test_what_cannot_be_is_said_before_any_work(job: Job, changes: dict[str, Any], error: Any, words: str) -> None:
    def placed(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(placed, value))
        return job.out.parent / value if isinstance(value, str) else value

    save_image(picture(32, 40, 1), job.out.parent / "out_round01.png")
    save_image(picture(20, 40, 1), job.out.parent / "small.png")
    before = sorted(path.name for path in job.out.parent.iterdir())
    with pytest.raises(error, match=words):
        prepare(changed(job, **{name: placed(value) for name, value in changes.items()}))
    assert sorted(path.name for path in job.out.parent.iterdir()) == before


def test_notices_are_data(job: Job) -> None:
    folder = job.out.parent
    for name, size, right in (("a.png", (40, 32), "red"), ("b.png", (18, 20), "lime")):
        mask = Image.new("RGB", size, "red")
        mask.paste(right, (size[0] // 2, 0, *size))
        mask.save(folder / name)
    told: list[Notice] = []
    prepared = prepare(changed(job, masks=(folder / "a.png", folder / "b.png")), told.append)
    assert prepared.regions is not None
    assert tuple(told) == prepared.notices
    assert prepared.notices == (
        Notice(MASK_RESAMPLED, f"{folder / 'b.png'} is 18 x 20, its picture 36 x 40: resampled to fit"),
        Notice(
            ONE_REGION, f"content mask {folder / 'a.png'}: it has one label, #ff0000: the whole picture is one region"
        ),
        Notice(LABEL_LEFT_OUT, f"style mask {folder / 'b.png'}: the content mask has no #00ff00: left out"),
    )


def test_a_painting_of_one_colour_is_told(job: Job) -> None:
    painting, flat = job.styles[0], np.full((40, 36, 3), 90.0, np.float32)
    flat[::2] += 8  # as JPEG makes of it
    save_image(flat, painting)
    (notice,) = prepare(job).notices
    assert notice.kind == NO_STROKES
    assert notice.text.startswith(f"{painting}: it has one colour")
    flat[::2] += 1
    save_image(flat, painting)
    assert prepare(job).notices == ()


def test_notices_that_explain_an_error_come_before_it(job: Job) -> None:
    Image.new("RGB", (18, 20), "lime").save(job.out.parent / "b.png")
    Image.new("RGB", (40, 32), "red").save(job.out.parent / "a.png")
    told: list[Notice] = []
    with pytest.raises(ImageError, match="no style mask has its colour"):
        prepare(changed(job, masks=(job.out.parent / "a.png", job.out.parent / "b.png")), told.append)
    assert [notice.kind for notice in told] == [MASK_RESAMPLED]


def test_a_draft_is_loaded_where_a_recipe_wants_one(job: Job) -> None:
    drafted = dataclasses.replace(SHORT, draft="mini")
    assert load_networks(job.machine, [SHORT]).draft is None
    found = load_networks(job.machine, [SHORT, drafted])
    assert found.draft is not None
    assert found.draft.small
    assert "draft by mini" in found.description(drafted)
    assert "draft by" not in found.description(SHORT)
    small = load_networks(Machine("mini", device="cpu"), [drafted])
    assert small.draft is None, "a small network needs no draft by a small one"
    assert "small network in place of vgg19" in small.description(drafted)


def test_a_picture_that_cannot_be_saved_is_saved_elsewhere(tmp_path: Path) -> None:
    def refuse(image: np.ndarray, path: Path) -> None:
        raise FileError(f"cannot write {path}: the disk is full")

    with pytest.raises(FileError, match=r"disk is full\. The picture was saved as (.*) instead: move it") as caught:
        save_or_rescue(picture(32, 40, 1), tmp_path / "out.png", refuse)
    rescued = Path(str(caught.value).split(" saved as ")[1].split(" instead")[0])
    np.testing.assert_array_equal(load_image(rescued), np.rint(picture(32, 40, 1)))
    rescued.unlink()
    rescued.parent.rmdir()


def test_a_comparison_tells_its_observers_and_saves_a_sheet(job: Job) -> None:
    steps, seen = Steps(), list[Networks]()

    def watch(networks: Networks) -> list[Observer]:
        seen.append(networks)
        return [steps]

    recipes = {"one": SHORT, "two": dataclasses.replace(SHORT, style_weight=5.0)}
    runs = paint_comparison(job.content, job.styles, job.out, recipes, job.machine, watch=watch, size=40, evaluations=2)
    assert [run.label for run in runs] == ["one", "two"]
    assert all(run.result is not None for run in runs)
    assert isinstance(seen[0].network, Network)
    assert steps.steps
    assert load_image(job.out).shape[1] > 2 * 40
