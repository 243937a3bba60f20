"""Measure how far a decoded picture is from the expected one, and summarize the differences of many files.

Decoders may differ and still be right: T.81 does not prescribe the rounding of the inverse DCT, nor how subsampled
chrominance is interpolated. Both change samples only slightly, or only a few of them. A decoder that did not understand
a file shows another picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# A picture is wrong if its mean absolute difference over all samples is above WRONG_MEAN, or that of one tile above
# WRONG_TILE. The limits lie between the largest values of files that a decoder understood (8.5 and 16, both of jpegli,
# which estimates where a coefficient was within its quantization interval) and the least of wrong pictures (48 and 89).
WRONG_MEAN = 16.0
WRONG_TILE = 48.0
TILE = 16  # side of a tile in pixels, that of an MCU at 4:2:0
GROUPS = ("full resolution", "subsampled", "four components")

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Difference:
    """Absolute differences of samples 0..255: the largest, the mean, and the mean of the worst tile of 16x16 pixels."""

    largest: int
    mean: float
    worst_tile: float

    @property
    def is_wrong(self) -> bool:
        """Whether the decoder shows another picture, rather than rounding or interpolating differently."""
        return self.mean > WRONG_MEAN or self.worst_tile > WRONG_TILE


@dataclass(frozen=True)
class Outcome:
    """The result of one decoder for one file.

    Parameters
    ----------
    file, kind, group : str
        Name of the file, the option or encoder that it is an example of, and one of `GROUPS`.
    result : Difference or str
        Difference from the expected picture, or the reason why there is no picture.
    warning : str
        Warnings of the decoder; empty if there are none.
    """

    file: str
    kind: str
    group: str
    result: Difference | str
    warning: str = ""

    @property
    def verdict(self) -> str:
        """``right``, ``wrong`` (another picture) or ``refused`` (no picture)."""
        if isinstance(self.result, str):
            return "refused"
        return "wrong" if self.result.is_wrong else "right"


def difference(decoded: Pixels, expected: Pixels) -> Difference | str:
    """Compare two pictures of shape (height, width, 3); returns a text if their sizes differ."""
    if decoded.shape != expected.shape:
        sizes = ("x".join(map(str, picture.shape[1::-1])) for picture in (decoded, expected))
        return "decoded as {} pixels instead of {}".format(*sizes)
    differences = np.abs(decoded.astype(np.int16) - expected)
    height, width = expected.shape[:2]
    rows, columns = (np.arange(0, side, TILE) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(differences.sum(axis=2, dtype=np.int64), rows, axis=0), columns, axis=1)
    samples = 3 * np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return Difference(int(differences.max()), float(differences.mean()), float((sums / samples).max()))


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Summary of the results of one decoder.

    ``opened`` and ``right`` count files; ``wrong``, ``refused`` and ``warnings`` list files by kind and name.
    ``largest`` and ``largest_by_kind`` have the largest difference among right pictures, by group and by kind.
    """
    return {
        "opened": sum(outcome.verdict != "refused" for outcome in outcomes),
        "right": sum(outcome.verdict == "right" for outcome in outcomes),
        "wrong": _by_kind({outcome: _figures(outcome) for outcome in outcomes if outcome.verdict == "wrong"}),
        "refused": _by_kind({outcome: outcome.result for outcome in outcomes if outcome.verdict == "refused"}),
        "warnings": _by_kind({outcome: outcome.warning for outcome in outcomes if outcome.warning}),
        "largest": {group: _largest([outcome for outcome in outcomes if outcome.group == group]) for group in GROUPS},
        "largest_by_kind": _largest_by_kind(outcomes),
    }


def _largest_by_kind(outcomes: Sequence[Outcome]) -> dict[str, int | None]:
    """The largest difference among right pictures of each kind, None if no picture of that kind is right."""
    kinds: dict[str, int | None] = {}
    for outcome in outcomes:
        largest = kinds.setdefault(outcome.kind, None)
        if isinstance(outcome.result, Difference) and outcome.verdict == "right":
            kinds[outcome.kind] = max(outcome.result.largest, largest or 0)
    return kinds


def _by_kind(values: Mapping[Outcome, Any]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for outcome, value in values.items():
        rows.setdefault(outcome.kind, {})[outcome.file] = value
    return rows


def _figures(outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    assert isinstance(result, Difference)
    return {"largest": result.largest, "mean": round(result.mean, 2), "worst_tile": round(result.worst_tile, 2)}


def _largest(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Figures and name of the file with the largest difference among right pictures, and the largest mean of any."""
    right = {outcome: _figures(outcome) for outcome in outcomes if outcome.verdict == "right"}
    if not right:
        return None
    worst = max(right, key=lambda outcome: (right[outcome]["largest"], right[outcome]["mean"]))
    means = (max(figures[name] for figures in right.values()) for name in ("mean", "worst_tile"))
    most = dict(zip(("most_mean", "most_worst_tile"), means, strict=True))
    return {"file": worst.file, "kind": worst.kind, **right[worst], **most}
