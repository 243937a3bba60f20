"""Each notebook runs from top to bottom, and is committed with what it printed and drew, in small pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")

import nbformat

from tests.notebooks import NOTEBOOKS, executed

LARGEST_PICTURE, LARGEST_NOTEBOOK = 90_000, 700_000  # bytes
PATHS = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@PATHS
def test_a_notebook_runs_and_shows_what_is_stored(path: Path, tmp_path: Path) -> None:
    """The same kinds of outputs: numbers may differ in their last digits, and times always do."""
    stored = code_cells(nbformat.read(path, as_version=4))
    for now, before in zip(code_cells(executed(path, tmp_path)), stored, strict=True):
        assert kinds(now) == kinds(before)


def kinds(cell: Any) -> list[Any]:
    """What the outputs of a cell are: text, or the types of a picture."""
    merged: list[Any] = []
    for output in cell.outputs:
        kind = output.output_type if output.output_type == "stream" else sorted(output.get("data", {}))
        if kind != "stream" or merged[-1:] != ["stream"]:  # text may come in several parts
            merged.append(kind)
    return merged


@PATHS
def test_a_notebook_is_stored_with_its_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    outputs = [output for cell in cells for output in cell.outputs if "data" in output]
    pictures = [text for output in outputs for kind, text in output.data.items() if kind.startswith("image/")]
    assert pictures
    assert max(len(base64.b64decode(text)) for text in pictures) <= LARGEST_PICTURE
    assert path.stat().st_size <= LARGEST_NOTEBOOK
