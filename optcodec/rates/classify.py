"""What coding does to the decision of a network: whether its first class is the right one, and its cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.network import logits_by, score
from optcodec.rates.experiment import Judge, Original
from optcodec.rates.measures import Measure

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel

__all__ = ["NETWORK_MEASURES", "judge_by_network"]

Pixels = npt.NDArray[np.uint8]

NETWORK_MEASURES = {
    "top1_percent": Measure("top-1 %", 1, per_image=False),
    "loss": Measure("cross-entropy", 4, rises=False, per_image=False),
}


def judge_by_network(target: TargetModel, also: Judge) -> Judge:
    """Measures of the class that a network sees in a picture, besides other measures.

    Parameters
    ----------
    target : TargetModel
        The network; pictures are resized and cropped as it requires. Gray ones are given as RGB.
    also : Judge
        The other measures.

    Returns
    -------
    Judge
        ``top1_percent``: 100 where the first class of the network is the label, otherwise 0; ``loss``: the
        cross-entropy in nats; then the other measures. Without a label, the class that the network sees in the
        original is the label.
    """
    logits = logits_by(target)

    def judge(original: Original, pixels: Pixels) -> Callable[[Pixels], Mapping[str, float]]:
        label = int(logits(pixels)[0].argmax()) if original.label is None else original.label
        measured = also(original, pixels)

        def measure(picture: Pixels) -> dict[str, float]:
            scores = score(logits(picture), label)
            decision = {"top1_percent": 100.0 if scores.rank[0] == 0 else 0.0, "loss": float(scores.loss[0])}
            return decision | dict(measured(picture))

        return measure

    return judge
