"""Quantization tables made for an image, a data set, a DNN."""

from __future__ import annotations

from optcodec.design.methods import (
    DEFAULT_DISTORTION,
    METHODS,
    WATER_FILLING,
    SamplingMismatchWarning,
    design_tables,
    resolve,
)
from optcodec.design.statistics import DISTORTIONS, Statistics, gather

__all__ = [
    "DEFAULT_DISTORTION",
    "DISTORTIONS",
    "METHODS",
    "WATER_FILLING",
    "SamplingMismatchWarning",
    "Statistics",
    "design_tables",
    "gather",
    "resolve",
]
