"""Formulas as outlines (SVG): every browser shows the same, and no script and no font comes from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import ziamath
from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["setup"]

SIZE = 18  # pixels


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx how formulas are written to pages."""
    ziamath.config.svg2 = False  # glyphs where they stand: as symbols, they would have the same names in all formulas
    app.add_html_math_renderer("outlines", (_inline, None), (_display, None))
    app.config.html_math_renderer = "outlines"  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def outlines(latex: str, *, inline: bool) -> str:
    """The SVG element of a formula, in the colour of the text around it, on its baseline."""
    formula = ziamath.Latex(latex, size=SIZE, inline=inline, color="currentColor")
    attributes = f'role="img" aria-label="{escape(latex)}" style="vertical-align: {formula.getyofst():.2f}px"'
    svg: str = formula.svg()
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(f'<span class="formula">{outlines(node.astext(), inline=True)}</span>')
    raise nodes.SkipNode


def _display(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{outlines(node.astext(), inline=False)}</div>\n')
    raise nodes.SkipNode
