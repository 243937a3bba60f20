"""Quantization tables made for an image, a data set, a DNN."""

from __future__ import annotations

from optcodec.design.methods import DEFAULT_DISTORTION, METHODS, SCALED, WATER_FILLING, Design
from optcodec.design.resolve import SamplingMismatchWarning, check_sampling, design_tables, resolve
from optcodec.design.search import Joint
from optcodec.design.statistics import DISTORTIONS, Statistics, gather

__all__ = [
    "DEFAULT_DISTORTION",
    "DISTORTIONS",
    "METHODS",
    "SCALED",
    "WATER_FILLING",
    "Design",
    "Joint",
    "SamplingMismatchWarning",
    "Statistics",
    "check_sampling",
    "design_tables",
    "gather",
    "resolve",
]
