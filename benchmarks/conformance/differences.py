"""How far a decoded picture is from the expected one, and what many of these differences come to.

Decoders may differ and be right: the inverse DCT may round otherwise (T.81 leaves it open), and chrominance that was
subsampled may be interpolated in one way or another. Both change samples a little, or few of them. A file that was
not understood gives another picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# A picture is wrong whose mean absolute difference, over all samples or over those of one tile, is above these. They
# lie between the most that decoders here make of a file that they understand (8.5 and 16, both jpegli's, which
# estimates where a coefficient lay within its step), and the least of a wrong picture (48 and 89).
WRONG_MEAN = 16.0
WRONG_TILE = 48.0
TILE = 16  # pixels; an MCU of 4:2:0
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
        """Whether it is another picture, not another way to round or to interpolate."""
        return self.mean > WRONG_MEAN or self.worst_tile > WRONG_TILE


@dataclass(frozen=True)
class Outcome:
    """What a decoder made of a file.

    Parameters
    ----------
    file, kind, group : str
        Name of the file, what it is an example of, and one of `GROUPS`.
    result : Difference or str
        How far the picture is from the expected one, or why there is none.
    warning : str
        What the decoder had to say; empty for nothing.
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
    """Compare two pictures of shape (height, width, 3); a text if their sizes differ."""
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
    """What one decoder made of all files: how many it opened, and by kind and name all that is not right or not silent.

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
    """None where no picture of a kind is right."""
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
