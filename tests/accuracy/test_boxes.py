"""Agreement of two sets of boxes: by hand, against a slow twin, and outputs that hold no boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optcodec import InvalidInputError
from optcodec.accuracy.boxes import LEAST_OVERLAP, LEAST_SCORE, box_agreement

ONE, OTHER = (10, 10, 30, 50), (60, 5, 90, 25)
NONE: dict[str, Any] = {"boxes": []}


def found(*boxes: tuple[float, ...], **more: Any) -> dict[str, Any]:
    return {"boxes": np.array(boxes, np.float64), **more}


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        (NONE, NONE, 1),
        (NONE, found(ONE), 0),
        (found(ONE), NONE, 0),
        (found(ONE, OTHER), found(OTHER, ONE), 1),
        (found(ONE), found(ONE, OTHER), 2 / 3),
        (found(ONE, OTHER), found(ONE), 2 / 3),
        (found((10, 10, 30, 30)), found(ONE), 1),  # just half of the union
        (found((10, 10, 30, 29)), found(ONE), 0),
        (found(ONE, ONE), found(ONE), 2 / 3),  # a box is in one pair at most
        (found(ONE, labels=[1]), found(ONE, labels=[2]), 0),
        (found(ONE, OTHER, labels=["cat", "dog"]), found(OTHER, ONE, labels=["dog", "cat"]), 1),
        (found(ONE, OTHER, scores=[0.9, 0.49]), found(ONE, scores=[0.5]), 1),
        (found((5, 5, 5, 5)), found((5, 5, 5, 5)), 0),  # no area
        (found((30, 50, 10, 10)), found(ONE), 0),  # edges exchanged
        ([found(ONE)], (found(ONE),), 1),  # a batch of one
    ],
)
def test_pairs_over_boxes(output: Any, reference: Any, expected: float) -> None:
    assert box_agreement(output, reference) == pytest.approx(expected)


def test_the_largest_overlap_is_paired_first() -> None:
    middle = (0, 0, 10, 10)
    near, far = (0, 0, 10, 12), (0, 0, 10, 18)  # overlaps with middle of 10/12 and 10/18, among each other of 12/18
    assert box_agreement(found(far, near), found(middle, near)) == 1
    assert box_agreement(found(near, middle), found(far, (0, 0, 10, 11))) == pytest.approx(1)


def test_tensors_are_read_as_arrays() -> None:
    torch = pytest.importorskip("torch")
    boxes = torch.tensor([ONE, OTHER], dtype=torch.float32, requires_grad=True)
    detections = [{"boxes": boxes, "labels": torch.tensor([1, 2]), "scores": torch.tensor([0.9, 0.8])}]
    assert box_agreement(detections, detections) == 1
    assert box_agreement(detections, found(ONE, labels=[1])) == pytest.approx(2 / 3)


def slowly(output: dict[str, Any], reference: dict[str, Any]) -> float:
    """The same, pair by pair, over whole pixels."""

    def area(box: tuple[int, ...]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    sets = [
        [(area(box), label) for box, label, score in zip(*each.values(), strict=True) if score >= LEAST_SCORE]
        for each in (output, reference)
    ]
    total = len(sets[0]) + len(sets[1])
    if not total:
        return 1.0
    overlaps = {
        (i, j): len(a & b) / len(a | b)
        for i, (a, label) in enumerate(sets[0])
        for j, (b, other) in enumerate(sets[1])
        if label == other and a | b
    }
    pairs = 0
    while overlaps:
        (i, j), overlap = max(overlaps.items(), key=lambda item: item[1])
        if overlap < LEAST_OVERLAP:
            break
        pairs += 1
        overlaps = {(k, m): value for (k, m), value in overlaps.items() if k != i and m != j}
    return 2 * pairs / total


@st.composite
def detections(draw: st.DrawFn) -> dict[str, Any]:
    edges = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
    boxes = [(x, y, x + w, y + h) for x, y, w, h in draw(st.lists(edges, max_size=4))]
    labels, scores = (
        draw(st.lists(st.sampled_from(of), min_size=len(boxes), max_size=len(boxes))) for of in ((1, 2), (0.2, 0.5, 1))
    )
    return {"boxes": boxes, "labels": labels, "scores": scores}


@given(detections(), detections())
def test_it_is_that_of_a_slow_twin(output: dict[str, Any], reference: dict[str, Any]) -> None:
    assert box_agreement(output, reference) == pytest.approx(slowly(output, reference))
    assert box_agreement(reference, output) == pytest.approx(slowly(reference, output))
    assert box_agreement(output, output) == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (3, "a detector gives a mapping with boxes, and maybe labels and scores; got 3"),
        ({"scores": [1]}, "a detector gives a mapping with boxes, and maybe labels and scores; got dict with scores"),
        ([NONE, NONE], "a detector gives a mapping with boxes, and maybe labels"),
        ({"boxes": [ONE[:3]]}, r"boxes of a detector are finite, of shape \(N, 4\); got shape \(1, 3\)"),
        ({"boxes": [(0, 0, 1, np.nan)]}, r"boxes of a detector are finite, of shape \(N, 4\); got shape \(1, 4\)"),
        ({"boxes": [ONE], "labels": [1, 2]}, r"labels of 1 boxes have the shape \(1,\), got \(2,\)"),
        ({"boxes": [ONE], "scores": 0.7}, r"scores of 1 boxes have the shape \(1,\), got \(\)"),
    ],
)
def test_other_outputs_are_refused(output: Any, message: str) -> None:
    for arguments in ((output, NONE), (NONE, output)):
        with pytest.raises(InvalidInputError, match=message):
            box_agreement(*arguments)
