"""Tables that tools make, in a Markdown page: each stands between two marks, which are comments."""

from __future__ import annotations

from pathlib import Path


def replace_marked(page: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks "<!-- NAME -->" and "<!-- end of NAME -->" of the page."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.read_text().split(first)
    _, after = rest.split(last)
    page.write_text(f"{before}{first}\n{text}\n{last}{after}")
