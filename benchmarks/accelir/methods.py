"""The methods that `gains.py` compares: each codes an image for a restoring receiver into a given number of bytes.

An encoder that takes a quality but no number of bytes is measured at exactly the budget, by interpolation between the
files of two neighbouring qualities, linear in the logarithm of their bytes. Our encoder takes the budget as a target
and never exceeds it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.accelir.case import FIELDS, SUBSAMPLING, Case, Floats, Pixels
from benchmarks.accelir.ideal import ideal_file
from optcodec import MaxBytes, QualityField, TargetNotMetError, encode
from optcodec.blocks.allocate import ALLOCATORS, Allocator, lagrangian
from optcodec.blocks.choice import WAYS, BlockChoice, BlockContext, blocks_by, pixels_of_blocks
from optcodec.blocks.curves import Curves, block_grid
from optcodec.blocks.qpnet import QpNet
from optcodec.shared import encode_mozjpeg, encode_turbo
from optcodec.trellis.tuning import tuning_for

Measure = Callable[[bytes], Any]  # a number, or an array of them
CodedFile = tuple[float, Floats]  # bytes, and the values of `FIELDS`
Method = Callable[[Case, int], CodedFile]

# Strength of the true groups in a profile whose strength is 0, that is, where the groups of QP-NET do not help.
DEFAULT_STRENGTH = 0.45
_NEAR = 1e-3  # relative difference below which two budgets of an allocator count as neighbours


def between(files: tuple[tuple[float, bytes], tuple[float, bytes]], nbytes: float, measure: Measure) -> Any:
    """A measure at a number of bytes between those of two files, linear in the logarithm of bytes."""
    (low, first), (high, second) = files
    part = np.log(nbytes / low) / np.log(high / low) if high > low else 0.0
    return (1 - part) * measure(first) + part * measure(second) if part else measure(first)


def interpolated(encoder: Callable[[int], tuple[float, bytes]], least: int, budget: int, measure: Measure) -> Any:
    """A measure of an encoder with qualities from `least` to 100, interpolated at exactly the budget in bytes.

    Raises
    ------
    TargetNotMetError
        If the smallest file of the encoder is larger than the budget, or its largest file smaller.
    """
    files: dict[int, tuple[float, bytes]] = {}

    def file(quality: int) -> tuple[float, bytes]:
        if quality not in files:
            files[quality] = encoder(quality)
        return files[quality]

    low, high = least, 100
    if not file(low)[0] <= budget <= file(high)[0]:
        sizes = f"{file(low)[0]:.0f}..{file(high)[0]:.0f}"
        raise TargetNotMetError(f"expected a file of {budget} bytes, but qualities {low}..{high} take {sizes}")
    while high > low + 1:
        middle = (low + high) // 2
        low, high = (middle, high) if file(middle)[0] <= budget else (low, middle)
    return between((file(low), file(high)), budget, measure)


def default_jpeg(pixels: Pixels, budget: int, measure: Measure) -> Any:
    """A measure of libjpeg-turbo's default JPEG (4:2:0, optimal Huffman codes) at exactly the budget in bytes."""
    return interpolated(lambda quality: _sized(encode_turbo(pixels, SUBSAMPLING, quality)), 1, budget, measure)


def default_file(pixels: Pixels, budget: int) -> bytes:
    """The largest file of default JPEG, as `default_jpeg` has it, that has at most so many bytes."""
    files = (encode_turbo(pixels, SUBSAMPLING, quality) for quality in range(100, 0, -1))
    return next(data for data in files if len(data) <= budget)


def _sized(data: bytes) -> tuple[float, bytes]:
    return len(data), data


def _webp(pixels: Pixels, quality: int) -> bytes:
    """A file of libwebp as Pillow calls it, with quality and effort; Pillow has no option for segments."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=6)
    return file.getvalue()


def _peer(case: Case, budget: int, *, encoder: Callable[[Pixels, int], bytes], least: int) -> CodedFile:
    """Another encoder, interpolated at exactly the budget."""
    fields = interpolated(lambda quality: _sized(encoder(case.sent, quality)), least, budget, case.measured)
    return budget, fields


def _moz(pixels: Pixels, quality: int, *, table: int) -> bytes:
    """A baseline file of mozjpeg with one of its quantization tables."""
    return encode_mozjpeg(pixels, SUBSAMPLING, quality, table=table, progressive=False)


def trellis_file(case: Case, budget: int, **weights: Any) -> bytes:
    """The file of effort 3 for a budget in bytes, with these weights of errors."""
    return encode(case.sent, effort=3, **weights, target=MaxBytes(budget), subsampling=SUBSAMPLING, threads=1).data


def coded(case: Case, budget: int, **weights: Any) -> CodedFile:
    """Bytes and `FIELDS` of that file."""
    data = trellis_file(case, budget, **weights)
    return len(data), case.measured(data)


def _receiver(case: Case, budget: int, *, blocks: str | None = None) -> CodedFile:
    """The trellis with weights for the receiver, and block qualities by the rule of a codec or by QP-NET if named."""
    chosen = None
    if blocks is not None:
        chosen = blocks_by(blocks) if blocks in ("x264", "libwebp") else case.tools.blocks(blocks)
    return coded(case, budget, tune=case.tools.tuning, blocks=chosen)


@dataclass(frozen=True, eq=False)
class _KnownGroups:
    """A stand-in for QP-NET that returns the true group of each block."""

    groups: int
    shares: npt.NDArray[np.float32]

    def distributions(self, pixels: Pixels, *, threads: int | None = None) -> npt.NDArray[np.float32]:
        return self.shares


def known_groups(case: Case) -> _KnownGroups:
    """The groups of the blocks of this image by their true utility."""
    profile, rows_columns = case.tools.profile, block_grid(case.sent.shape[1], case.sent.shape[0])
    ranks = profile.rank(case.curves("rdo")).reshape(rows_columns)
    return _KnownGroups(profile.groups, np.eye(profile.groups, dtype=np.float32)[ranks])


def _oracle(case: Case, budget: int) -> CodedFile:
    """The trellis with the true groups of all blocks in place of those that QP-NET predicts."""
    profile = case.tools.profile
    profile = replace(profile, strength=profile.strength or DEFAULT_STRENGTH)
    blocks = BlockChoice("exchange", profile, cast("QpNet", known_groups(case)))
    return coded(case, budget, tune=case.tools.tuning, blocks=blocks)


@dataclass(frozen=True, eq=False)
class _TrueContext(BlockContext):
    """A `BlockContext` with the true curves in place of those that QP-NET predicts."""

    known: Curves | None = None

    @cached_property
    def curves(self) -> Curves:
        assert self.known is not None
        return self.known

    @cached_property
    def shares(self) -> Floats:
        return np.ones((*block_grid(self.image.width, self.image.height), 1))


def _true_lagrangian(case: Case, budget: int, *, before: bool) -> CodedFile:
    """Block qualities by the true curves, with errors after restoration or, as if there were no receiver, before it."""
    tuning, known = (tuning_for("psnr") if before else case.tools.tuning), case.curves("rdo")
    if before:
        known = Curves(known.qualities, known.nbytes, known.before, known.before)
    context = _TrueContext(case.sent, case.image, tuning, threads=1, known=known)
    chosen: QualityField = WAYS["lagrangian"](context, budget)
    return coded(case, budget, tune=tuning, field=chosen)


def _ideal_uniform(case: Case, budget: int) -> CodedFile:
    """True variable quantization with one quality for all blocks, interpolated at exactly the budget."""
    shape = block_grid(case.image.width, case.image.height)
    fields = interpolated(lambda q: ideal_file(case.image, np.full(shape, q)), 1, budget, case.measured)
    return budget, fields


def _ideal(case: Case, budget: int, *, allocator: Allocator, true_curves: bool) -> CodedFile:
    """True variable quantization by an allocator.

    The bytes that the allocator predicts are not those of the file: its budget is changed until the file meets ours.
    """
    curves = case.curves("jpeg") if true_curves else case.context().curves
    size, shape = pixels_of_blocks(case.image.width, case.image.height), block_grid(case.image.width, case.image.height)

    def file(allocator_budget: float) -> tuple[float, bytes]:
        return ideal_file(case.image, allocator(curves, allocator_budget, size).reshape(shape))

    bounds = 1.0001 * float(curves.nbytes[:, 0].sum()), float(curves.nbytes.max(axis=1).sum())
    low, high = bounds
    if not file(low)[0] <= budget <= file(high)[0]:
        sizes = f"{file(low)[0]:.0f}..{file(high)[0]:.0f}"
        raise TargetNotMetError(f"expected a file of {budget} bytes, but what the allocator chooses takes {sizes}")
    while high >= low * (1 + _NEAR):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if file(middle)[0] <= budget else (low, middle)
    return budget, between((file(low), file(high)), budget, case.measured)


def figures_of(method: Method, case: Case, budget: int) -> dict[str, Any]:
    """Bytes of the file that a method makes for a budget in bytes, and its `FIELDS` that are not NaN."""
    nbytes, fields = method(case, budget)
    values = zip(FIELDS, np.round(fields, 5).tolist(), strict=True)
    return {"nbytes": nbytes, **{name: value for name, value in values if np.isfinite(value)}}


METHODS: dict[str, Method] = {
    "jpeg": lambda case, budget: (budget, default_jpeg(case.sent, budget, case.measured)),
    "mozjpeg flat": partial(_peer, encoder=partial(_moz, table=1), least=1),
    "mozjpeg default tables": partial(_peer, encoder=partial(_moz, table=3), least=1),
    "webp": partial(_peer, encoder=_webp, least=0),
    "rdo": partial(coded, tune="psnr"),
    "receiver": _receiver,
    "receiver+qpnet": partial(_receiver, blocks="exchange"),
    "receiver+x264": partial(_receiver, blocks="x264"),
    "receiver+libwebp": partial(_receiver, blocks="libwebp"),
    **{f"receiver+{way}": partial(_receiver, blocks=way) for way in ALLOCATORS},
    "oracle": _oracle,
    "oracle lagrangian": partial(_true_lagrangian, before=False),
    "psnr+lagrangian before": partial(_true_lagrangian, before=True),
    "ideal uniform": _ideal_uniform,
    "ideal accelir": partial(_ideal, allocator=ALLOCATORS["accelir"], true_curves=False),
    "ideal oracle": partial(_ideal, allocator=lagrangian, true_curves=True),
}
