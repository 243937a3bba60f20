"""What ``optcodec fit`` has measured: as a table, and ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from optcodec.console.about import about
from optcodec.console.many import Failure, failure_records
from optcodec.console.show import columns, count

if TYPE_CHECKING:
    from optcodec.fit.bench import Point
    from optcodec.fit.limits import FitLimits
    from optcodec.fit.run import Fit

__all__ = ["document_of", "provenance_of", "text_of"]

_HEADER = "sampling", "size", "method", "quality", "bpp", "bytes"
_OF_CLASSES, _OF_OUTPUTS = ("top-1, points", "divergence"), ("agreement, %",)
_TEXT_COLUMNS = 3


def document_of(fit: Fit, asked: dict[str, Any]) -> dict[str, Any]:
    """All that was measured, ready for JSON."""
    return provenance_of(fit, asked) | {
        "points": [_record(point) for point in fit.points],
        "verified": [_record(point) for point in fit.verified],
        "failures": failure_records([Failure(path, reason) for path, reason in fit.failures]),
    }


def provenance_of(fit: Fit, asked: dict[str, Any]) -> dict[str, Any]:
    """What a plan was made by, and the figures on the other pictures, ready for JSON."""
    return {
        **about("numpy", "pillow", "torch", "torchvision", "onnxruntime"),
        **asked,
        "chosen": fit.chosen and _record(fit.chosen),
        "default_jpeg": fit.default_jpeg and _record(fit.default_jpeg),
        "nearest": _record(fit.nearest),
    }


def _record(point: Point) -> dict[str, Any]:
    setting, verification = point.setting, point.verification
    figures = verification and {name: value for name, value in asdict(verification).items() if name != "worst"}
    return {
        "method": setting.way.name,
        "subsampling": setting.subsampling,
        "short_side": setting.short_side,
        "options": setting.options(point.quality),
        "bpp": point.bpp,
        "figures": figures,
        "problem": point.problem,
    }


def text_of(fit: Fit, limits: FitLimits) -> str:
    """A row for each setting, at the best quality that was found on the sample, and the rows of the other pictures."""
    settings: dict[int, list[Point]] = {}
    for point in fit.points:
        settings.setdefault(id(point.setting), []).append(point)
    best = [min(points, key=lambda point: _rank(point, limits)) for points in settings.values()]
    best.sort(key=lambda point: _rank(point, limits))
    parts = {"chosen by": best, "verified by": _verified(fit)}
    tables = [f"{title} {_images(points)}:\n{_table(points, limits)}" for title, points in parts.items() if points]
    return "\n\n".join(tables) + "\n"


def _verified(fit: Fit) -> list[Point]:
    """What was measured on the other pictures, with default JPEG for comparison."""
    chosen_is_plain = fit.chosen is not None and fit.chosen.setting.is_plain
    return [*fit.verified, *([fit.default_jpeg] if fit.default_jpeg and not chosen_is_plain else [])]


def _rank(point: Point, limits: FitLimits) -> tuple[float, float]:
    """First what keeps the limits, by bytes, then by how far the limits are exceeded."""
    verification = point.verification
    return max(1.0, float("inf") if verification is None else limits.excess(verification)), point.nbytes


def _images(points: Sequence[Point]) -> str:
    return count(max(point.verification.images if point.verification else 0 for point in points), "picture")


def _table(points: Sequence[Point], limits: FitLimits) -> str:
    is_of_classes = all(point.verification is None or point.verification.kl is not None for point in points)
    header = *_HEADER, *(_OF_CLASSES if is_of_classes else _OF_OUTPUTS), "limit"
    rows = [_row(point, limits, len(header)) for point in points]
    problems = dict.fromkeys(f"{point.setting.way.name}: {point.problem}" for point in points if point.problem)
    return "\n".join([columns(header, rows, text=_TEXT_COLUMNS), *problems])


def _row(point: Point, limits: FitLimits, length: int) -> tuple[str, ...]:
    from optcodec.fit.limits import top1_change

    setting, verification = point.setting, point.verification
    size = "full" if setting.short_side is None else str(setting.short_side)
    named = setting.subsampling, size, setting.way.name, str(point.quality)
    if verification is None:
        return *named, *[""] * (length - len(named) - 1), "impossible"
    figures: tuple[str, ...] = (f"{verification.agreement_percent.value:.1f}",)
    if verification.kl is not None:
        figures = f"{top1_change(verification).value:+.1f}", f"{verification.kl.value:.3g}"
    rate = f"{point.bpp:.2f}", f"{verification.nbytes_after:,}"
    return *named, *rate, *figures, "kept" if limits.are_kept(verification) else "exceeded"
