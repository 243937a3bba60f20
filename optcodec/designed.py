"""Encode with tables that are designed: from an image and a target to a file, without a trellis."""

from __future__ import annotations

from collections.abc import Sequence

from optcodec.design import Files, check_sampling, gather, rescaled, resolve
from optcodec.jpeg.layout import thread_count
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import prepare
from optcodec.matching import Target, reference_pixels
from optcodec.vision.profile import SensitivityProfile

__all__ = ["designed"]


def designed(
    source: PixelSource | CoefficientSource,
    target: Target,
    profile: SensitivityProfile | None,
    method: str | Sequence[QuantTable] | None,
) -> bytes:
    """The file with tables that are designed for a target; its coefficients are rounded to the nearest index.

    Tables in place of a method are scaled as a whole instead.

    Raises
    ------
    InvalidInputError
        If the method does not go with the target or the profile.
    TargetNotMetError
        If no table meets the target.
    """
    prepare("counting", "histogram", *source.kernels)
    statistics = gather(source.content, subsampling=source.sampling, threads=thread_count(source.threads))
    if profile is not None:
        check_sampling(profile, statistics.samplings)
    files = Files(lambda tables: len(source.encoded(tables)), source.encoded, lambda: reference_pixels(source))
    if method is None or isinstance(method, str):
        return resolve(target, statistics, profile, method=method, files=files).data
    return rescaled(target, statistics, method, profile, files=files).data
