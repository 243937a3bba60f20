"""Open the network that the verbs ``sensitivity`` and ``accuracy`` measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optcodec.console.modules import find_modules_here

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel

__all__ = ["open_model"]


def open_model(model: str, *, weights: str | None, device: str) -> TargetModel:
    """As `optcodec.vision.models.load_model`; the module may also lie in the working folder, as for ``python -m``."""
    from optcodec.vision.models import load_model

    find_modules_here(model)
    return load_model(model, weights=weights, device=device)
