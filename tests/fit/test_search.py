"""The search for the least quality, on points that are made up."""

from __future__ import annotations

import pytest

from optcodec.fit.search import searched


class _Point:
    """What the search needs of a point."""

    def __init__(self, quality: int) -> None:
        self.quality, self.nbytes = quality, 100.0 * quality


@pytest.mark.parametrize("least", [5, 10, 35, 90, 95, 96])
def test_the_least_quality_is_found(least: int) -> None:
    qualities = (5, 10, 20, 35, 50, 70, 90, 95)
    points = searched(_Point, qualities, lambda point: point.quality >= least, float("inf"))  # type: ignore[arg-type]
    kept = [point.quality for point in points if point.quality >= least]
    assert min(kept, default=96) == least
    assert len(points) <= 4


def test_a_setting_that_takes_more_bytes_is_given_up() -> None:
    points = searched(_Point, range(1, 100), lambda point: point.quality >= 80, 5000)  # type: ignore[arg-type]
    assert [point.quality for point in points] == [50]
    points = searched(_Point, range(1, 100), lambda point: point.quality >= 80, 5001)  # type: ignore[arg-type]
    assert [point.quality for point in points] == [50, 75]
