"""The page where somebody is hasty, or unlucky with the moment: nothing is lost, and what goes on can be seen."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, Route, expect

from minstyle.images import load_image
from tests.support.studio_page import CHROMIUM, LONG, Open, badge, drop, paste
from tests.support.studio_server import Server, png

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed here")


def place_of(page: Page, name: str) -> tuple[float, float]:
    box = page.locator(f"#easel button:has-text('{name}'), #easel a.button:has-text('{name}')").bounding_box()
    assert box is not None
    return round(box["x"]), round(box["y"])


def test_what_is_painted_is_there_at_once_and_stop_answers(server: Server, page_of: Open) -> None:
    done = server.job(seed=7)
    server.ended(done)
    job = server.job(seed=8, effort=20.0)
    server.begun(job)

    def late(route: Route) -> None:  # progress comes while the list, as it was, is still under way
        answer = route.fetch()
        time.sleep(0.7)
        route.fulfill(response=answer)

    page = page_of(server)
    page.route("**/api/jobs?*", late)
    with page.expect_response("**/api/jobs?*"):
        page.reload()
        expect(badge(page)).to_have_text("painting", timeout=LONG)
    page.wait_for_timeout(200)  # and is taken in
    server.hold()
    expect(badge(page)).to_have_text("painting")
    page.click("#tabs >> text=Gallery")
    expect(page.locator(f".card[data-job='{job}']")).to_contain_text("painting")
    expect(page.locator(f".card[data-job='{job}'] >> text=Compare")).to_have_count(0)
    page.click("#tabs >> text=Paint")

    expect(page.locator("#easel .buttons")).to_be_visible()
    buttons = ("Stop", "Continue", "Download", "Larger", "Remove")
    before = [place_of(page, name) for name in buttons]
    page.dblclick("#easel button:has-text('Stop')")
    expect(page.locator("#easel button:has-text('Stopping...')")).to_be_disabled()
    expect(page.locator(".status")).to_have_text("Stopping after this step")
    assert server.get(f"/api/jobs/{job}").json()["stopping"]
    server.hold(False)
    expect(badge(page)).to_have_text("stopped", timeout=LONG)
    assert not server.get(f"/api/jobs/{job}").json()["stopping"]
    assert [place_of(page, name) for name in buttons] == before
    server.ask("DELETE", f"/api/jobs/{job}")


def test_a_double_click_paints_once(server: Server, page_of: Open) -> None:
    page = page_of(server, server.request(seed=15))
    expect(page.locator("#paint-it")).to_be_enabled()
    before = len(server.get("/api/jobs").json())
    page.dblclick("#paint-it")
    expect(badge(page)).to_have_text("painted", timeout=LONG)
    assert len(server.get("/api/jobs").json()) == before + 1


def test_regions_outlast_a_new_style_and_one_that_goes(server: Server, page_of: Open) -> None:
    request = server.request(seed=25)
    request["styles"].append({"picture": server.upload(png(27), "second.png")})
    page = page_of(server, request)
    page.click("#photo [aria-label=Regions]")
    page.locator(".board").focus()
    page.keyboard.press("Space")
    page.click("text=Use the regions")
    expect(page.locator("#photo .masked")).to_be_visible()
    paste(page, png(29))
    expect(page.locator("#styles .source")).to_have_count(3)
    expect(page.locator(".toast:not([hidden])")).to_contain_text("What you pasted is a style now.")
    expect(page.locator("#photo .note")).to_contain_text("A style has no place in them yet")
    page.click("#paint-it")
    expect(badge(page)).to_have_text("painted", timeout=LONG)
    asked = server.get("/api/jobs").json()[0]["request"]
    assert [style["mask"] is None for style in asked["styles"]] == [False, False, True]

    page.reload()  # the masks are read from what was uploaded
    page.click("#photo [aria-label=Regions]")
    page.click(".swatch >> nth=2")
    page.locator(".board").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.click("text=Use the regions")
    expect(page.locator("#photo .note")).to_have_text("Your regions are in use.")
    page.click("[aria-label='Remove: second.png']")
    expect(page.locator("#styles .source")).to_have_count(2)
    expect(page.locator("#photo .masked")).to_be_visible()
    mask = page.locator("#photo .masked").get_attribute("src") or ""
    left = load_image(server.studio.folder.original(mask.split("/")[3]))
    assert {tuple(colour) for colour in left.reshape(-1, 3).tolist()} == {(255, 70, 60), (255, 200, 30)}
    assert left[200, 240].tolist() == [255, 70, 60]  # where the second was is now the first
    page.locator(".toast", has_text="second.png").get_by_text("Undo").click()
    expect(page.locator("#styles .source")).to_have_count(3)
    expect(page.locator("#photo .masked")).not_to_have_attribute("src", mask)


def test_a_colour_that_no_painting_has_is_told_in_the_dialog(server: Server, page_of: Open) -> None:
    page = page_of(server, server.request(seed=25))
    page.click("#photo [aria-label=Regions]")
    page.locator(".board").focus()
    page.keyboard.press("Space")
    page.click("text=Use the regions")
    expect(page.locator("dialog .toast")).to_contain_text("The colour blue is in the photograph but in no painting")


def test_the_camera_pasting_and_a_painting_as_the_photograph(server: Server, page_of: Open) -> None:
    page = page_of(server)
    page.click("summary:has-text('More')")
    page.get_by_label("Eye").select_option("mini")
    page.get_by_label("Pixels on the longer side").fill("48")
    page.click("label:has-text('Low')")
    page.click("[aria-label=Camera]")
    expect(page.locator("video")).to_be_visible()
    page.wait_for_timeout(500)
    page.click("text=Take the picture")
    expect(page.locator("#photo .name")).to_have_text("camera photo.jpg", timeout=LONG)
    page.hover("#photo .source")
    paste(page, png(33), "cliff.png")  # onto the photograph: the pointer says so
    expect(page.locator("#photo .name")).to_have_text("cliff.png")
    page.mouse.move(900, 5)
    drop(page, "#styles .zone", png(34), "waves.png")
    expect(page.locator("#styles .source")).to_have_count(1)
    page.click("#sketch")
    expect(badge(page)).to_have_text("painted", timeout=LONG)
    page.click("text=Use as photograph")
    expect(page.locator("#photo .name")).to_have_text("cliff, waves 48.png")
    page.click("#anew")
    expect(page.locator("#easel h2")).to_have_text("A photograph, painted")
    page.click("#toasts >> text=Undo")
    expect(page.locator("#photo .name")).to_have_text("cliff, waves 48.png")


def test_a_new_browser_begins_with_the_empty_page_and_nothing_jumps(server: Server, page_of: Open) -> None:
    page = page_of(server)
    expect(page.locator("#easel h2")).to_have_text("A photograph, painted")
    drop(page, "body", png(41), "my cat.png")
    expect(page.locator("#photo .name")).to_have_text("my cat.png")
    assert page.evaluate("scrollY") == 0
    page.focus("#photo [aria-label=Remove]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('#photo') !== null")  # the keyboard stays there
    page.click("#tabs >> text=Compare")
    page.click("#tabs >> text=Paint")


def test_settings_used_again_come_with_their_painting(server: Server, page_of: Open) -> None:
    first = server.job(seed=43, size=40)
    server.ended(server.job(seed=45))
    page = page_of(server, server.request(seed=45))
    easel = page.locator("#easel .split img").first
    expect(easel).to_be_visible()
    page.click("#tabs >> text=Gallery")
    page.click(f".card[data-job='{first}'] >> text=Use settings again")
    expect(easel).to_have_attribute("src", re.compile(first))
    page.click("summary:has-text('More')")
    size = page.get_by_label("Pixels on the longer side")
    size.fill("5")
    size.press("Enter")  # told, and what is shown is still what will be painted
    expect(page.locator("#toasts")).to_contain_text("Pixels on the longer side:")
    expect(size).to_have_value("40")
    page.click("#toasts >> text=Undo")
    expect(easel).not_to_have_attribute("src", re.compile(first))
    page.goto(f"{server.address}/#job/none")
    page.reload()
    expect(page.locator("#toasts")).to_contain_text("That painting is no longer here.")
