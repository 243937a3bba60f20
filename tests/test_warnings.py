"""A warning names the line of the user's code, however many functions of the package are between."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optcodec
import restore
from optcodec import JpegWarning, UnreadableSizeWarning
from tests.cli_helpers import photograph

BASELINE = optcodec.encode(photograph(40, 56), quality=60).data
PROGRESSIVE = optcodec.encode(photograph(40, 56), quality=60, progressive=True).data
FILES = {
    f"{kind}, {fault}": data[:place] + junk + data[place:]
    for kind, data in (("baseline", BASELINE), ("progressive", PROGRESSIVE))
    for fault, place, junk in (("header", 2, bytes(3)), ("scan", len(data) - 2, bytes(3)))
}
READERS: dict[str, Callable[[bytes], Any]] = {
    "read_jpeg": optcodec.read_jpeg,
    "read_jpeg_rows": lambda data: list(optcodec.read_jpeg_rows(data)),
    "CoefficientRows.whole": lambda data: optcodec.read_jpeg_rows(data).whole(),
    "transcode": optcodec.transcode,
    "decode_centroids": restore.decode_centroids,
    "restore_image": lambda data: restore.restore_image(data, model="tiny"),
}


def files_of_warnings(category: type[Warning], call: Callable[[], Any]) -> list[str]:
    """The file that each warning names."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(issubclass(warning.category, category) for warning in caught)
    return [warning.filename for warning in caught]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("reader", READERS)
def test_readers_name_the_line_that_reads(reader: str, file: str) -> None:
    assert files_of_warnings(JpegWarning, lambda: READERS[reader](FILES[file])) == [__file__]


def test_encode_names_the_line_that_encodes() -> None:
    component = optcodec.Component(1, 1, 1, 0, np.zeros((1, 8191, 8, 8), np.int16))
    image = optcodec.CoefficientImage(65528, 8, (component,), optcodec.annex_k_tables(50)[:1])
    assert files_of_warnings(UnreadableSizeWarning, lambda: optcodec.encode(image)) == [__file__]


def test_design_tables_names_the_line_that_designs() -> None:
    profile, target = optcodec.load_profile("mobilenet_v2"), optcodec.MatchQuality(50)
    image = optcodec.read_jpeg(BASELINE)
    category = optcodec.SamplingMismatchWarning
    assert files_of_warnings(category, lambda: optcodec.design_tables(image, target, profile=profile)) == [__file__]


@pytest.mark.parametrize("options", [{}, {"effort": 3}], ids=["designed tables", "trellis"])
@pytest.mark.parametrize("function", [optcodec.encode, lambda image, **more: optcodec.transcode(BASELINE, **more)])
def test_encoding_with_a_profile_of_another_sampling_names_the_line(
    function: Callable[..., Any], options: dict[str, Any]
) -> None:
    profile, target = optcodec.load_profile("mobilenet_v2"), optcodec.MatchQuality(50, jointly=True)
    image = optcodec.read_jpeg(BASELINE)
    category = optcodec.SamplingMismatchWarning
    names = files_of_warnings(category, lambda: function(image, profile=profile, target=target, **options))
    assert set(names) == {__file__}


def test_a_thread_without_a_line_of_the_user_still_warns() -> None:
    """A thread that calls a function of the package directly has no line of the user, but still warns."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, pytest.warns(JpegWarning, match="skipped"):
        pool.submit(optcodec.read_jpeg, FILES["baseline, header"]).result()
