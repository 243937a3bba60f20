"""Quantization tables made for an image, a data set, a DNN."""

from __future__ import annotations

from optcodec.design.methods import METHODS, SCALED, WATER_FILLING
from optcodec.design.resolve import DEFAULT_DISTORTION, SamplingMismatchWarning, check_sampling, design_tables, resolve
from optcodec.design.statistics import DISTORTIONS, Statistics, gather

__all__ = [
    "DEFAULT_DISTORTION",
    "DISTORTIONS",
    "METHODS",
    "SCALED",
    "WATER_FILLING",
    "SamplingMismatchWarning",
    "Statistics",
    "check_sampling",
    "design_tables",
    "gather",
    "resolve",
]
