"""Design quantization tables for an image, a data set, or a DNN."""

from __future__ import annotations

from optcodec.design.candidates import DesignedFile, Files
from optcodec.design.families import Joint
from optcodec.design.line import DesignLine
from optcodec.design.methods import DEFAULT_DISTORTION, METHODS, SCALED, WATER_FILLING, Design
from optcodec.design.resolve import (
    SamplingMismatchWarning,
    check_sampling,
    design_tables,
    line_of_method,
    rescaled,
    resolve,
    usual_subsampling,
)
from optcodec.design.statistics import DISTORTIONS, Statistics, gather

__all__ = [
    "DEFAULT_DISTORTION",
    "DISTORTIONS",
    "METHODS",
    "SCALED",
    "WATER_FILLING",
    "Design",
    "DesignLine",
    "DesignedFile",
    "Files",
    "Joint",
    "SamplingMismatchWarning",
    "Statistics",
    "check_sampling",
    "design_tables",
    "gather",
    "line_of_method",
    "rescaled",
    "resolve",
    "usual_subsampling",
]
