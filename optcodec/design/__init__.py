"""Quantization tables made for an image, a data set, a DNN."""

from __future__ import annotations

from optcodec.design.methods import METHODS, SamplingMismatchWarning, design_tables, resolve
from optcodec.design.statistics import DISTORTIONS, Statistics, gather

__all__ = ["DISTORTIONS", "METHODS", "SamplingMismatchWarning", "Statistics", "design_tables", "gather", "resolve"]
