"""The pictures of docs/howto/studio.md, from the page itself: ``python tools/studio_pictures.py [--size 256]``.

Goes through the page as a person would, with pictures of examples/, in Debian's chromium; takes some minutes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
OUT, EXAMPLES = ROOT / "docs" / "images", ROOT / "examples"
LONG = 3_600_000  # milliseconds that a painting may take


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="256")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        words = ["studio", "--folder", folder, "--port", "0", "--no-browser"]
        server = subprocess.Popen([sys.executable, "-m", "minstyle", *words], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            with sync_playwright() as playwright:
                program = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                walk(browser, address, options.size)
                browser.close()
        finally:
            server.terminate()
            server.wait()
    return 0


def walk(browser: Browser, address: str, size: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860}, locale="en-US")
    page.goto(address)
    expect(page.locator("#easel h2")).to_be_visible()
    shoot(page, "studio_empty")
    page.set_input_files("#photo input[type=file]", EXAMPLES / "cat.jpg")
    page.set_input_files("#styles input[type=file]", EXAMPLES / "swirls.jpg")
    expect(page.locator("#styles .source")).to_be_visible()
    page.click("summary:has-text('More')")
    page.get_by_label("Pixels on the longer side").fill(size)
    page.click("summary:has-text('More')")
    pick(page)
    page.locator("#picker .main").click()
    expect(page.locator(".status")).to_contain_text("pass 2", timeout=LONG)
    page.wait_for_timeout(4000)
    slide(page, 35)
    shoot(page, "studio_painting")
    expect(page.locator("#easel .badge")).to_have_text("painted", timeout=LONG)
    page.set_input_files("#styles .zone input[type=file]", EXAMPLES / "glass.jpg")
    expect(page.locator("#styles .source")).to_have_count(2)
    brush(page)
    page.click("#paint-it")
    expect(page.locator(".status")).to_contain_text("step", timeout=LONG)
    expect(page.locator("#easel .badge")).to_have_text("painted", timeout=LONG)
    page.click("#tabs >> text=Compare")
    expect(page.locator(".both img")).to_have_count(2)
    shoot(page, "studio_compare")
    telephone = browser.new_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True,
                                 locale="zh-CN", color_scheme="dark")  # fmt: skip
    telephone.goto(f"{address}#gallery")
    telephone.locator(".card .picture").last.tap()
    expect(telephone.locator("#easel .split")).to_be_visible()
    shoot(telephone, "studio_phone")


def pick(page: Page) -> None:
    """Two rows of small paintings."""
    page.click("#pick")
    for row, chosen in enumerate((2, 2)):
        expect(page.locator("#picker .cell img")).to_have_count(5 * (row + 1), timeout=LONG)
        page.locator("#picker .cell").nth(5 * row + chosen).click()
    expect(page.locator("#picker .cell img")).to_have_count(15, timeout=LONG)
    page.mouse.move(640, 10)
    shoot(page, "studio_picker")


def brush(page: Page) -> None:
    """Stained glass on what is behind the cat, to the right."""
    page.click("#photo [aria-label=Regions]")
    page.get_by_role("slider", name="Brush").fill("60")
    box = page.locator(".board").bounding_box()
    assert box is not None
    points = [(0.97, 0.02), (0.93, 0.3), (0.87, 0.6), (0.83, 0.95), (0.97, 0.95), (0.97, 0.4)]
    for number, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=12)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    shoot(page, "studio_regions")
    page.click("text=Use the regions")
    expect(page.locator(".board")).to_have_count(0)


def slide(page: Page, percent: int) -> None:
    """The photograph over so much of the painting."""
    slider = page.get_by_label("How much of the photograph is shown")
    slider.evaluate("(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", percent)


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    page.screenshot(path=OUT / f"{name}.jpg", type="jpeg", quality=82)


if __name__ == "__main__":
    sys.exit(main())
