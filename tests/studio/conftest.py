"""One server for the tests of a file: what they make in it they find by its id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from minstyle.studio.helper import Helper
from minstyle.studio.schema import EstimateView
from tests.support.studio_page import CHROMIUM, LONG, Open
from tests.support.studio_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("studio"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright  # here: most tests of the studio need no browser

    expect.set_options(timeout=LONG)  # a machine may have much else to do
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *camera])
        yield browser
        browser.close()


@pytest.fixture
def page_of(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the page of a server, with ``request`` as what this browser asked for last; errors of its code fail.

    Estimates are made up, by the size alone: the tests of the server ask for true ones.
    """
    monkeypatch.setattr(
        Helper, "estimate", lambda self, asked: EstimateView(seconds=asked.size, memory=10**8, refused=None)
    )
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def page_of(server: Server, request: dict[str, Any] | None = None, **device: Any) -> Page:
        usual = {"viewport": {"width": 1280, "height": 850}, "locale": "en-US", "reduced_motion": "reduce"}
        context = browser.new_context(**{**usual, **device})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((server.address, "blob:", "data:"))
                else errors.append(f"another host: {asked.url}"))  # fmt: skip
        if request is not None:
            kept = {"content_mask": None, "settings": {}, "recipe": "fine", "strength": 1, "format": "png",
                    "keep_metadata": False, **request}  # fmt: skip
            kept["styles"] = [{"weight": 1, "scale": 1, "mask": None, **style} for style in kept["styles"]]
            key, text = "'minstyle-studio'", json.dumps(json.dumps(kept))
            page.add_init_script(f"localStorage.getItem({key}) ?? localStorage.setItem({key}, {text})")
        page.goto(server.address)
        return page

    yield page_of
    for context in contexts:
        context.close()
    assert errors == []
