"""Values as text, and what notebooks show."""

from __future__ import annotations

import numpy as np
import pytest

import optcodec
from optcodec.values import Value
from restore import load_model
from tests.cli_helpers import photograph
from tests.test_pickle import EXAMPLES

PHOTO = photograph(40, 56)
FILE = optcodec.encode(PHOTO, quality=60)
VALUES = [value for examples in EXAMPLES.values() for value in examples if isinstance(value, Value)]


def test_a_file_tells_its_size_and_not_its_bytes() -> None:
    size = f"data=<{FILE.nbytes:,} bytes>, width=56, height=40, loss=None, losses=None, subsampling='4:2:0'"
    assert repr(FILE) == f"EncodedJpeg({size})"
    assert repr(optcodec.transcode(FILE.data)).startswith(f"Transcoded({size}, original_nbytes={FILE.nbytes}, kept=")


def test_arrays_tell_their_shape() -> None:
    text = repr(optcodec.forward(PHOTO[..., 0]))
    components = "(DctComponent(id=1, h=1, v=1, coefficients=<float32 array of shape (5, 7, 8, 8)>),)"
    assert text == f"DctImage(width=56, height=40, components={components})"
    table = FILE.coefficients.tables[0]
    assert repr(table) == f"QuantTable(steps={table.steps!r})"  # as long as a screen is wide
    exif = repr(optcodec.Metadata(exif=bytes(64_000)))
    assert "exif=<64,000 bytes>" in exif


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_value_fills_the_screen(value: Value) -> None:
    assert len(repr(value)) < 2000


def test_a_model_is_named() -> None:
    assert repr(load_model("tiny")).startswith("Model(name='tiny', border=")


def test_a_notebook_shows_the_picture() -> None:
    formatter = pytest.importorskip("IPython.core.formatters").JPEGFormatter()
    assert formatter(FILE) == FILE.data
    assert formatter(np.zeros(3)) is None
