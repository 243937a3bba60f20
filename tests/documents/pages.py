"""The documents that are pages of the site, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "optcodec/data/qpnet/README.md"),
    *("restore/data/models/README.md", "restore/data/tasks/README.md"),
)
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [*(ROOT / name for name in OUTSIDE), *sorted((ROOT / "docs").rglob("*.md"))]
}
_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block.

    Parameters
    ----------
    language : str
        What stands behind the three backticks.
    text : str
        The code.
    where : str
        The page and the line, for messages.
    """

    language: str
    text: str
    where: str

    @property
    def lines(self) -> list[str]:
        """Lines of code, those joined that end with a backslash, without comments of a shell."""
        joined = re.sub(r" *\\\n *", " ", self.text)
        return [line for each in joined.splitlines() if (line := each.partition("  #")[0].strip())]


def blocks_of(page: str) -> list[Block]:
    """The code blocks of a page, without the directives of Sphinx, which it runs when it builds the site."""
    text, found = PAGES[page], []
    for fence in _FENCE.finditer(text):
        if not fence[2].startswith("{"):
            line = text.count("\n", 0, fence.start()) + 1
            found.append(Block(fence[2], re.sub(rf"^{fence[1]}", "", fence[3], flags=re.M), f"{page}, line {line}"))
    return found
