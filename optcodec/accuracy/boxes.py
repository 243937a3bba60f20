"""How far two sets of boxes that a detector has found agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError

__all__ = ["LEAST_OVERLAP", "LEAST_SCORE", "box_agreement"]

Floats = npt.NDArray[np.float64]

# The overlap from which on two boxes show the same object: Everingham et al., "The Pascal Visual Object Classes (VOC)
# Challenge", International Journal of Computer Vision 88, 2010, section 4.2.
LEAST_OVERLAP = 0.5
LEAST_SCORE = 0.5  # of a box that counts as found


@dataclass(frozen=True, eq=False)
class _Detections:
    """The boxes (N, 4) that count, and their classes (N,)."""

    boxes: Floats
    labels: npt.NDArray[Any]


def box_agreement(output: Any, reference: Any) -> float:
    """Part of the boxes that a detector finds in both of two pictures.

    Parameters
    ----------
    output, reference : mapping, or sequence of one mapping
        What the detector gives for the coded and for the original picture, with arrays or tensors: ``boxes``, shape
        (N, 4), with the left, upper, right and lower edge of each; where the detector has them ``labels``, shape (N,),
        and ``scores``, shape (N,), in 0..1. So do detectors of torchvision.

    Returns
    -------
    float
        In 0..1: twice the number of pairs over the number of all boxes (the F1 score); 1 if there are no boxes. A pair
        has the same label, and the intersection of its boxes is at least half of their union. Each box belongs to one
        pair at most, and those with the largest overlap are paired first. Boxes with a score below 0.5 do not count.

    Raises
    ------
    InvalidInputError
        If an output is of another kind.
    """
    found, known = _detections(output), _detections(reference)
    count = len(found.boxes) + len(known.boxes)
    if count == 0:
        return 1.0
    overlaps = _overlaps(found.boxes, known.boxes)
    overlaps[found.labels[:, None] != known.labels] = 0
    pairs = 0
    while overlaps.size and overlaps.max() >= LEAST_OVERLAP:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        overlaps[row], overlaps[:, column] = 0, 0
        pairs += 1
    return 2 * pairs / count


def _detections(output: Any) -> _Detections:
    """Check the output of a detector."""
    if isinstance(output, (list, tuple)) and len(output) == 1:
        output = output[0]
    if not isinstance(output, Mapping) or "boxes" not in output:
        got = f"{type(output).__name__} with {', '.join(map(str, output))}" if isinstance(output, Mapping) else output
        raise InvalidInputError(f"a detector gives a mapping with boxes, and maybe labels and scores; got {got!s:.80}")
    boxes = _array(output["boxes"]).astype(np.float64)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise InvalidInputError(f"boxes of a detector are finite, of shape (N, 4); got shape {boxes.shape}: {boxes}")
    count = len(boxes)
    labels, scores = (_array(output.get(name, np.ones(count))) for name in ("labels", "scores"))
    for name, values in (("labels", labels), ("scores", scores)):
        if values.shape != (count,):
            raise InvalidInputError(f"{name} of {count} boxes have the shape {(count,)}, got {values.shape}")
    counts = scores.astype(np.float64) >= LEAST_SCORE
    return _Detections(boxes[counts], labels[counts])


def _array(values: Any) -> npt.NDArray[Any]:
    """An array, or a tensor of torch as one."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection of each pair of boxes over their union, shape (N, M); 0 where a union has no area."""
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    common = np.clip(high - low, 0, None).prod(2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - common
    overlaps: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps
