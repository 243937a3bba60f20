"""What a fit has found, in words."""

from __future__ import annotations

from optcodec.accuracy.verification import Figure
from optcodec.fit.bench import Point
from optcodec.fit.limits import FitLimits, top1_change
from optcodec.fit.run import Fit

__all__ = ["cost_of", "described", "verdict_of"]


def verdict_of(fit: Fit, limits: FitLimits) -> str:
    """What was chosen, in a line, or what comes nearest to the limits."""
    point = fit.chosen
    if point is None:
        named = _named(limits)
        failed = f"nothing keeps {named}; the nearest on the sample is"
        if fit.verified:
            failed = f"nothing that keeps {named} on the sample keeps it on the other pictures; the nearest there is"
        return f"{failed} {described(fit.nearest)}: {cost_of(fit.nearest)}"
    assert point.verification is not None
    sure = "" if limits.are_certain(point.verification) else ", whose interval exceeds the limit"
    return f"{described(point)}: {_saved(fit, point)}, {cost_of(point)}{sure}{_after(len(fit.verified) - 1)}"


def _after(failed: int) -> str:
    """How many tries did not keep the limits on the other pictures."""
    if not failed:
        return ""
    return f"; {failed} with fewer bytes kept it on the sample only, so that more pictures to choose by would help"


def described(point: Point) -> str:
    """Setting, quality and rate of a point."""
    rate = "" if point.bpp is None else f", {point.bpp:.2f} bpp"
    return f"{point.setting.name}, quality {point.quality}{rate}"


def cost_of(point: Point) -> str:
    """What a point costs the network, with 95 % intervals."""
    if point.verification is None:
        return str(point.problem)
    points, kl = top1_change(point.verification), point.verification.kl
    if kl is None:
        return f"agreement {_with_interval(point.verification.agreement_percent, '.1f')} %"
    return f"top-1 {_with_interval(points, '+.1f')} points, divergence {_with_interval(kl, '.3g')} nats"


def _saved(fit: Fit, point: Point) -> str:
    assert point.verification is not None
    saved = -point.verification.saved_percent.value
    originals = f"{saved:+.0f} % bytes against the pictures as they are"
    if point.setting.is_plain:
        return originals
    if fit.default_jpeg is None:
        return f"{originals}, no default JPEG keeps the limit"
    change = 100 * (point.nbytes / fit.default_jpeg.nbytes - 1)
    return f"{change:+.0f} % bytes against default JPEG (quality {fit.default_jpeg.quality}), {originals}"


def _named(limits: FitLimits) -> str:
    points = [] if limits.max_loss_points is None else [f"a top-1 loss of {limits.max_loss_points:g} points"]
    kl = [] if limits.max_kl is None else [f"a divergence of {limits.max_kl:g} nats"]
    same = [] if limits.min_agreement is None else [f"an agreement of {limits.min_agreement:g} %"]
    return " and ".join(points + kl + same)


def _with_interval(figure: Figure, form: str) -> str:
    low, high = format(figure.low, form), format(figure.high, form)
    return f"{format(figure.value, form)} [{low}, {high}]"
