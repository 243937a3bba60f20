"""Limits on what coding costs a network."""

from __future__ import annotations

import numpy as np
import pytest

from optcodec import InvalidInputError
from optcodec.accuracy.change import Change
from optcodec.accuracy.verification import Verification, verification_of
from optcodec.fit.limits import FitLimits, top1_change


def verification(before: list[int], after: list[int], labels: list[int | None] | None = None) -> Verification:
    return verification_of(
        [
            Change(str(number), 100, 50, label, first, second, 0.1, 0.2, 0.25)
            for number, (first, second, label) in enumerate(
                zip(before, after, labels or [None] * len(before), strict=True)
            )
        ]
    )


def test_losses_are_those_of_top1_accuracy() -> None:
    changed = verification([1, 2, 3, 4], [1, 2, 3, 5])
    assert top1_change(changed).value == -25
    assert top1_change(changed).low <= -25
    labelled = verification([1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 0, 5])
    assert top1_change(labelled).value == 25  # a change for the better
    assert FitLimits(25).are_kept(changed)
    assert not FitLimits(24.9).are_kept(changed)
    assert FitLimits(0).are_kept(labelled)
    assert not FitLimits(25).are_certain(changed)
    assert FitLimits(100).are_certain(changed)
    assert not FitLimits(0).are_kept(changed)
    assert FitLimits(30, 0.25).are_kept(changed)
    assert not FitLimits(30, 0.2).are_kept(changed)
    assert FitLimits(30, 0.2).excess(changed) == pytest.approx(1.25)


def test_agreement_is_that_of_decisions_or_of_parts_of_outputs() -> None:
    changed = verification([1, 2, 3, 4], [1, 2, 3, 5])
    assert FitLimits(min_agreement=75).excess(changed) == pytest.approx(1)
    assert FitLimits(min_agreement=50).excess(changed) == pytest.approx(0.5)
    assert not FitLimits(min_agreement=75).are_certain(changed)
    parts = [Change(str(n), 100, 50, *(None,) * 6, map_agreement=part) for n, part in enumerate((0.5, 1.0, 0.9, 1.0))]
    outputs = verification_of(parts)
    assert FitLimits(min_agreement=85).excess(outputs) == pytest.approx(1)
    assert FitLimits(max_loss_points=10, min_agreement=80).excess(outputs) == pytest.approx(1.5)
    with pytest.raises(InvalidInputError, match="max_kl limits what classes have, got a network that gives none"):
        FitLimits(max_kl=1).excess(outputs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected a largest loss of top-1 accuracy, a largest divergence or a least agreement, got none"),
        ({"min_agreement": 100.5}, r"min_agreement is a percentage up to 100, got 100\.5"),
        ({"max_loss_points": -1.0}, "max_loss_points is a finite number from 0 on, got -1.0"),
        ({"max_loss_points": 101.0}, r"a loss of top-1 accuracy is at most 100 points, got 101\.0"),
        ({"max_kl": np.nan}, "max_kl is a finite number from 0 on, got nan"),
    ],
)
def test_wrong_limits_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        FitLimits(**arguments)
