"""The page in a browser: what a person does there, with pointer, keyboard, phone and reader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from minstyle.images import load_image, read_text
from minstyle.studio import tasks
from tests.support.studio_page import CHROMIUM, LONG, Open, badge, drop, file
from tests.support.studio_server import Server, png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed here")


def paint(page: Page) -> None:
    page.click("#paint-it")
    expect(badge(page)).to_have_text("painted", timeout=LONG)


def shown(page: Page) -> tuple[int, int]:
    """The size of the picture on the easel."""
    size = page.locator("#easel .split img").first.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    return size[0], size[1]


def audited(page: Page, *rules: str) -> list[str]:
    """What axe has against the page as it is, by all its rules or some."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"]]


def test_from_an_empty_folder_to_a_picture_taken_home(
    server: Server, page_of: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SMALL_SIZE", 40)
    monkeypatch.setattr(tasks, "SMALL_EVALUATIONS", 1)
    page = page_of(server)
    expect(page.locator("#easel h2")).to_have_text("A photograph, painted")
    expect(page.locator("#paint-it")).to_be_disabled()
    drop(page, "body", png(1), "my cat.png")  # anywhere: the first is the photograph
    expect(page.locator("#photo .name")).to_have_text("my cat.png")
    expect(page.locator(".estimate")).to_have_text("Add a painting to begin.")
    page.click("summary:has-text('More')")
    page.get_by_label("Pixels on the longer side").fill("48")
    page.get_by_label("Eye").select_option("mini")
    page.click("label:has-text('Low')")
    page.set_input_files("#styles input[type=file]", [file(png(2), "waves.png"), file(png(3), "night.png")])
    expect(page.locator("#styles .source")).to_have_count(2)
    expect(page.locator(".estimate")).to_have_text("About 48 s, 100 MB of memory")
    expect(page.locator("#sketch")).not_to_have_class("advised")
    page.click("label:has-text('Picture')")
    expect(page.locator(".estimate")).to_contain_text("About 9 min, 100 MB of memory. A quick sketch first shows")
    expect(page.locator("#sketch")).to_have_class("advised")
    page.get_by_label("Pixels on the longer side").fill("48")

    page.click("#pick")
    cells = page.locator("#picker .cell")
    for row, chosen in enumerate((4, 1, 1)):
        expect(page.locator("#picker .cell img")).to_have_count(5 * (row + 1), timeout=LONG)
        cells.nth(5 * row + chosen).click()
    page.click("#picker .main")
    expect(badge(page)).to_have_text("painted", timeout=LONG)
    expect(page.locator("#easel h2")).to_have_text("my cat, waves + night")
    assert shown(page) == (48, 40)
    with page.expect_download() as download:
        page.click("text=Download")
    assert download.value.suggested_filename == "my cat, waves + night 48.png"
    download.value.save_as(tmp_path / "home.png")
    recipe = json.loads(read_text(tmp_path / "home.png") or "")
    assert (recipe["style_weight"], recipe["color"]) == (1600.0, "content")
    assert recipe["style_scale"] == pytest.approx([0.625, 0.625])
    expect(page.locator("#shelf img")).to_have_count(0)  # they are in use
    page.click("[aria-label='Remove: night.png']")
    expect(page.locator("#shelf img")).to_have_count(1)


def test_stop_continue_larger_again_and_compare(server: Server, page_of: Open) -> None:
    page = page_of(server, server.request(seed=41, effort=4.0))
    page.click("#paint-it")
    expect(page.locator(".status")).to_contain_text("step", timeout=LONG)
    page.click("text=Stop")
    expect(badge(page)).to_have_text("stopped", timeout=LONG)
    assert shown(page) == (48, 40)
    page.click("button:has-text('Continue')")
    expect(badge(page)).to_have_text("painting", timeout=LONG)
    page.click("text=Stop")
    expect(badge(page)).to_have_text("stopped", timeout=LONG)
    page.click("#easel button:has-text('Larger')")
    expect(page.locator("dialog")).to_contain_text("96 pixels, twice its 48")
    page.click("text=Paint it larger")
    expect(page.locator(".status")).to_contain_text("96 x 80", timeout=LONG)
    page.click("text=Stop")
    expect(badge(page)).to_have_text("stopped", timeout=LONG)
    slider = page.get_by_label("How much of the photograph is shown")
    slider.focus()
    page.keyboard.press("End")
    assert page.locator(".split").evaluate("element => element.style.getPropertyValue('--at')") == "100%"
    page.click("#tabs >> text=Gallery")
    expect(page.locator(".card img").first).to_be_visible()
    page.locator(".card summary").first.click()
    expect(page.locator(".card .facts").first).to_contain_text("96")
    page.locator(".card >> text=Compare").first.click()
    expect(page.locator(".both img")).to_have_count(2)
    expect(page.locator("table")).to_contain_text("Size")
    page.click("#pair >> text=Slider")
    expect(page.get_by_label("How much of the left picture is shown")).to_be_visible()
    page.click("#tabs >> text=Gallery")
    page.locator(".card >> text=Use settings again").first.click()
    expect(page.locator("#photo .name")).to_have_text("photo.png")
    expect(page.get_by_label("Pixels on the longer side")).to_have_value("96")


def test_regions_are_painted_with_a_brush_and_by_keys(server: Server, page_of: Open) -> None:
    request = server.request(seed=51)
    request["styles"].append({"picture": server.upload(png(53), "second.png")})
    page = page_of(server, request)
    page.click("#photo [aria-label=Regions]")
    board = page.locator(".board")
    box = board.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    page.mouse.up()
    board.focus()
    for key in ("ArrowRight",) * 30:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    assert audited(page) == []
    page.click("text=Use the regions")
    expect(page.locator("#photo .note")).to_have_text("Your regions are in use.")
    paint(page)
    job = server.get("/api/jobs").json()[0]["request"]
    mask = load_image(server.studio.folder.original(job["content_mask"]))
    assert mask.shape == (400, 480, 3)
    colours = {tuple(colour) for colour in mask.reshape(-1, 3).tolist()}
    assert colours == {(255, 70, 60), (50, 120, 255)}
    assert mask[200, 140].tolist() == [50, 120, 255]  # by the brush
    assert mask[200, 430].tolist() == [50, 120, 255]  # by the keys
    own = load_image(server.studio.folder.original(job["styles"][1]["mask"]))
    np.testing.assert_array_equal(np.unique(own.reshape(-1, 3), axis=0), [[50, 120, 255]])


def test_a_picture_is_cropped_by_keys(server: Server, page_of: Open) -> None:
    request = server.request(seed=61)
    request["content"] = server.upload(png(61, 80, 100), "wide.png")
    page = page_of(server, request)
    page.click("#photo [aria-label=Crop]")
    expect(page.locator(".frame")).to_be_focused()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(".box output")).to_have_text("82 x 64")
    assert audited(page) == []
    page.click("text=Cut")
    expect(page.locator("#photo figcaption")).to_contain_text("82 x 64")


def test_two_tabs_see_the_same(server: Server, page_of: Open) -> None:
    request = server.request(seed=71, effort=8.0)
    one, other = page_of(server, request), page_of(server, request)
    one.click("#paint-it")
    expect(one.locator(".status")).to_contain_text("step", timeout=LONG)
    other.click("#tabs >> text=Gallery")
    other.locator(".card .picture").first.click()
    expect(badge(other)).to_have_text("painting", timeout=LONG)
    other.click("text=Stop")
    for page in (one, other):
        expect(badge(page)).to_have_text("stopped", timeout=LONG)
    other.once("dialog", lambda dialog: dialog.accept())
    other.click("#easel >> text=Remove")
    expect(one.locator("#easel h2")).not_to_have_text("photo, painting", timeout=LONG)


def test_garbage_is_told_in_a_line(server: Server, page_of: Open) -> None:
    page = page_of(server)
    drop(page, "#styles", b"garbage" * 50, "<b>garbage</b>.png")
    for _ in range(2):
        expect(page.locator(".toast:not([hidden]) > span")).to_have_text(
            "<b>garbage</b>.png: not a picture of a known format, such as PNG or JPEG"
        )
        drop(page, "#styles", b"garbage" * 50, "<b>garbage</b>.png")
    expect(page.locator("#styles .busy")).to_have_count(0)
    expect(page.locator("#styles .refused")).to_contain_text("not a picture")
    bar, paint_it = page.locator(".toast:not([hidden])").bounding_box(), page.locator("#paint-it").bounding_box()
    assert bar is not None
    assert paint_it is not None
    assert bar["y"] + bar["height"] < paint_it["y"]
    page.click(".toast [aria-label=Close]")
    expect(page.locator(".toast:not([hidden])")).to_have_count(0)


def test_a_page_that_stays_open_sees_the_studio_come_back(tmp_path: Path, page_of: Open) -> None:
    before = Server(tmp_path)
    page = page_of(before, before.request(seed=81, effort=0.6))
    page.click("#paint-it")
    expect(page.locator(".status")).to_contain_text("step", timeout=LONG)
    before.close()
    expect(page.locator("#away")).to_have_text(re.compile("The studio does not answer"), timeout=LONG)
    page.click("#paint-it")
    expect(page.locator(".toast").last).to_contain_text("The studio does not answer")
    after = Server(tmp_path, port=int(before.address.rsplit(":", 1)[1]))
    try:
        expect(badge(page)).to_have_text("painted", timeout=LONG)
        expect(page.locator("#away")).to_be_hidden()
        expect(page.locator(".status")).to_contain_text("step 48 of 48")
    finally:
        page.close()
        after.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_for_everybody(server: Server, page_of: Open, scheme: str) -> None:
    server.ended(server.job(seed=91))
    page = page_of(server, server.request(seed=91), color_scheme=scheme)
    expect(page.locator("#easel .buttons")).to_be_visible()
    page.click("summary:has-text('More')")
    rules = ("color-contrast",) if scheme == "dark" else ()  # nothing else is another there
    assert audited(page, *rules) == []
    for view in ("Gallery", "Compare"):
        page.click(f"#tabs >> text={view}")
        expect(page.locator(f"#{view.lower()} img").first).to_be_visible()
        assert audited(page, *rules) == []


def test_the_keyboard_reaches_all_of_it(server: Server, page_of: Open) -> None:
    page = page_of(server, server.request(seed=91))
    expect(page.locator("#photo .source")).to_be_visible()
    expect(page.locator("#paint-it")).to_be_enabled()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label')"))
    assert reached[0] is None  # the link that skips the top
    wanted = {"language", "Crop", "Regions", "Style", "pick", "paint-it"}
    assert wanted <= set(reached)


def test_a_phone_and_chinese(server: Server, page_of: Open) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
    page = page_of(server, server.request(seed=91), locale="zh-CN", **phone)
    expect(page.locator("#paint-it")).to_have_text("开始作画")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    for view in ("paint", "gallery", "compare"):
        page.locator(f"#tabs [href='#{view}']").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert audited(page) == []
    page.tap("#language")
    expect(page.locator("#paint-it")).to_have_text("Paint")
    top = page.locator(".top").bounding_box()
    assert top is not None
    assert top["height"] < 70  # one line, and the title of what is painted is below it
    for view in ("compare", "gallery", "paint"):
        page.locator(f"#tabs [href='#{view}']").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for label, hint in (("Size", "Pixels on the longer side"), ("Colours", "Whose colours")):
        page.get_by_text(label, exact=True).locator("visible=true").tap()  # nothing hovers: a tap asks for the hint
        expect(page.locator("#toasts > .toast:not([hidden])")).to_contain_text(hint)
    page.reload()
    expect(page.locator("#paint-it")).to_have_text("Paint")


def test_only_the_words_of_both_languages_are_used() -> None:
    static = Path(tasks.__file__).parent / "static"
    code = "".join(path.read_text() for path in static.glob("*.js"))

    def keys(name: str) -> set[str]:
        return set(re.findall(r"(?:^|[{,]\s*)([a-zA-Z]\w*):", (static / name).read_text(), re.MULTILINE))

    assert keys("chinese.js") == keys("words.js") & keys("chinese.js")
    page = (static / "index.html").read_text()
    used = set(re.findall(r'\bt\("(\w+)"', code)) | set(re.findall(r'data-t="(\w+)"', page))
    assert used <= keys("chinese.js")
