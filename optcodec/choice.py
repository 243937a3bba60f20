"""Whole files of a size that a reader may like better: made for something else than its gradient."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from optcodec.designed import designed
from optcodec.effort import Request
from optcodec.errors import TargetNotMetError
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.loop.judge import Judge
from optcodec.loop.rounds import ReadFile, read
from optcodec.optimized import optimized
from optcodec.targets import MaxBytes
from optcodec.trellis.field import QualityField

__all__ = ["others"]


def others(
    source: PixelSource | CoefficientSource, request: Request, judge: Judge, budget: int, field: QualityField | None
) -> list[ReadFile]:
    """Files of at most so many bytes, with their losses.

    They are default JPEG, one whose tables alone are designed, for the profile of the request, and those that a trellis
    makes for PSNR, with and without the weights of a field. Those that cannot be so small are left out.
    """
    target, profile = MaxBytes(budget), request.profile
    by_trellis = replace(request, target=target, quality=None, tune="psnr", profile=None, method=None)
    fields = () if field is None else (field if request.field is None else request.field.times(field),)
    weighted = [replace(by_trellis, field=product) for product in fields]
    ways: list[Callable[[], bytes]] = [
        lambda: designed(source, target, None, "jpeg"),
        lambda: designed(source, target, profile, None),
        *(partial(optimized, source, one) for one in (by_trellis, *weighted)),
    ]
    files = []
    for way in ways:
        with suppress(TargetNotMetError):
            files.append(read(way(), judge, grey=source.sampling == "grey"))
    return files
