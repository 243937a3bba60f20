"""Draw quantization tables as heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optcodec.extras import require_packages
from optcodec.jpeg.tables import QuantTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_table", "heatmap_figure"]


def draw_table(axes: Axes, table: QuantTable, *, largest: int = 255, numbers: bool = True) -> Any:
    """Draw the steps of a table; small steps are dark.

    Parameters
    ----------
    axes : matplotlib Axes
        Axes to draw on.
    table : QuantTable
        Low frequencies are drawn at the top left.
    largest : int
        Step with the lightest colour; the scale is logarithmic and begins at 1.
    numbers : bool
        Write the steps into the cells.

    Returns
    -------
    matplotlib AxesImage
        For a colour bar.
    """
    from matplotlib.colors import LogNorm

    image = axes.imshow(table.steps, cmap="viridis", norm=LogNorm(1, max(2, largest)), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if numbers:
        light = largest**0.6  # cells of larger steps are light enough for dark digits
        for (row, column), step in [((y, x), int(table.steps[y, x])) for y in range(8) for x in range(8)]:
            colour = "black" if step > light else "white"
            axes.text(column, row, str(step), ha="center", va="center", fontsize=6.5, color=colour)
    return image


def heatmap_figure(named: Sequence[tuple[str, tuple[QuantTable, ...]]]) -> Figure:
    """Figure of the tables of several methods: one column for each method, luminance above chrominance.

    Parameters
    ----------
    named : sequence of (str, tuple of QuantTable)
        Title and tables of each method.
    """
    require_packages("matplotlib.figure")
    from matplotlib.figure import Figure

    rows = max(len(tables) for _, tables in named)
    figure = Figure(figsize=(2.6 * len(named), 2.6 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, len(named), squeeze=False)
    largest = max(int(table.steps.max()) for _, tables in named for table in tables)
    for column, (title, tables) in enumerate(named):
        grid[0, column].set_title(title, fontsize=10)
        for row in range(rows):
            if row < len(tables):
                draw_table(grid[row, column], tables[row], largest=largest)
            else:
                grid[row, column].axis("off")
    for row, label in zip(range(rows), ("luminance", "chrominance"), strict=False):
        grid[row, 0].set_ylabel(label, fontsize=9)
    return figure
