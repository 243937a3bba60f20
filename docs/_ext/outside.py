"""Documents of the repository that lie outside of docs become pages of the site, and links lead there.

A page of `PAGES` has a stub in docs, for those who read docs in the repository; on the site it has the text of the
other document instead.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx.application import Sphinx

__all__ = ["PAGES", "relocated", "setup"]

ROOT = Path(__file__).parents[2]
# document, by its path in the repository -> its page
PAGES = {
    "benchmarks/README.md": "docs/benchmarks.md",
    "restore/data/models/README.md": "docs/reference/models.md",
    "restore/data/tasks/README.md": "docs/reference/tasks.md",
    "optcodec/data/qpnet/README.md": "docs/reference/qpnets.md",
    "CHANGELOG.md": "docs/changes.md",
    "CONTRIBUTING.md": "docs/contributing.md",
}
_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx read the documents in place of their stubs, and every page with its links to them."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def relocated(text: str, origin: str, page: str) -> str:
    """The text of a document with its relative links as they have to be on a page.

    Parameters
    ----------
    text : str
        Markdown.
    origin, page : str
        Paths in the repository: of the document that the text stands in, and of the page that will show it.
    """

    def link(found: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath(origin).parent / found[2])
        target = os.path.relpath(PAGES.get(path, path), PurePosixPath(page).parent)
        return f"{found[1]}{target}{found[3]}"

    return _LINK.sub(link, text)


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    page = f"docs/{docname}.md"
    origin = next((document for document, shown in PAGES.items() if shown == page), page)
    text = source[0] if origin == page else (ROOT / origin).read_text("utf-8")
    source[0] = relocated(text, origin, page)


def _outdated(app: Sphinx, *about: Any) -> list[str]:
    """Pages whose text is elsewhere are read anew each time, since Sphinx only looks at the age of the stub."""
    return [PurePosixPath(page).relative_to("docs").with_suffix("").as_posix() for page in PAGES.values()]
