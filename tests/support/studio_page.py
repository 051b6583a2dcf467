"""The studio's page in a browser: what a person does there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LONG = 30_000  # milliseconds to wait for a picture

Open = Callable[..., "Page"]


def file(data: bytes, name: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def drop(page: Page, place: str, data: bytes, name: str) -> None:
    """Drop a file, as from the desktop."""
    transfer = page.evaluate_handle("""([bytes, name]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name));
        return transfer;
    }""", [list(data), name])  # fmt: skip
    page.dispatch_event(place, "drop", {"dataTransfer": transfer})


def badge(page: Page) -> Locator:
    return page.locator("#easel .badge")


def paste(page: Page, data: bytes, name: str = "image.png") -> None:
    """Paste a picture, as one copied in another program."""
    page.evaluate("""([bytes, name]) => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
        window.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
    }""", [list(data), name])  # fmt: skip
