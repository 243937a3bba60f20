"""Modules of the user's own, which may lie in the working folder, as for ``python -m``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["find_modules_here"]


def find_modules_here(name: str) -> None:
    """Let a name such as ``package.module:function`` be imported from the working folder; does nothing for others."""
    folder = str(Path.cwd())
    if re.fullmatch(r"[\w.]+:\w+", name) and folder not in sys.path:
        sys.path.insert(0, folder)
