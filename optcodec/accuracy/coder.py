"""One image, coded under many conditions: what they share is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.conditions import TRELLIS, Condition
from optcodec.design import DEFAULT_DISTORTION, DISTORTIONS, METHODS, SCALED, WATER_FILLING, gather, resolve
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import QuantTable, annex_k_tables, check_quality
from optcodec.jpeg.writer import write_jpeg
from optcodec.metrics import swe
from optcodec.targets import MatchSwe, MaxBytes, Quality, Target, WaterLevel, largest_within
from optcodec.trellis.coder import Coder
from optcodec.trellis.meet import Meeting
from optcodec.trellis.tuning import tuning_for
from optcodec.vision.profile import SensitivityProfile

__all__ = ["Coded", "ImageCoder", "Peer", "check_conditions"]

Pixels = npt.NDArray[np.uint8]
Tables = tuple[QuantTable, ...]
Peer = Callable[[Pixels, str, int], bytes]  # file of pixels (height, width, 3), a chroma subsampling, a quality factor

_TOLERANCE = 0.01  # to which an SWE or a size counts as met
_PEER_SETTINGS = ("fixed", "bytes")
_FINEST, _COARSEST = (2 * (QuantTable(np.full((8, 8), step)),) for step in (1, 255))


@dataclass(frozen=True)
class Coded:
    """A file of one image under one condition.

    Parameters
    ----------
    data : bytes
        The file.
    swe : float
        Its sensitivity weighted error, with the normalized profile.
    met : bool
        Whether it does what the setting says, to 1 %; otherwise it is the nearest that can be reached. In settings
        that match luminance and chrominance apart, 1 % of their sum. Qualities of other encoders are whole numbers:
        for them a file that is no larger is enough.
    """

    data: bytes
    swe: float
    met: bool


def check_conditions(conditions: Iterable[Condition], peers: Iterable[str] = ()) -> None:
    """Raise `InvalidInputError` if a condition names a method, a distortion model or a level that is not there."""
    others = tuple(peers)
    for condition in conditions:
        method, distortion, trellis = _parts(condition.method)
        peer = condition.method in others
        known = method in METHODS or (trellis and not method)
        if not peer and not known:
            names = ", ".join((*METHODS, TRELLIS, *others))
            raise InvalidInputError(f"a method is one of {names}; got {condition.method!r}")
        if not peer and ":" in condition.method and distortion not in DISTORTIONS:
            raise InvalidInputError(f"distortion is one of {', '.join(DISTORTIONS)}; got {condition.method!r}")
        if peer and condition.setting not in _PEER_SETTINGS:
            raise InvalidInputError(f"{method} knows the settings {', '.join(_PEER_SETTINGS)}; got {condition.setting}")
        if trellis and condition.setting != "bytes":
            raise InvalidInputError(f"{condition.method} is measured at equal bytes; got setting {condition.setting}")
        if condition.setting == "fixed" and not peer and method not in (*WATER_FILLING, *SCALED):
            raise InvalidInputError(f"{method} has no levels of its own; expected another setting than fixed")
        if condition.setting == "fixed" and method not in WATER_FILLING:
            _quality(condition.level)


def _parts(method: str) -> tuple[str, str, bool]:
    """Name of a table design ("" for none), distortion model, and whether a trellis follows: "opts:laplacian+rdo"."""
    if method == TRELLIS:
        return "", DEFAULT_DISTORTION, True
    tables, plus, ending = method.partition("+")
    name, colon, distortion = tables.partition(":")
    return name, distortion if colon else DEFAULT_DISTORTION, bool(plus) and ending == TRELLIS


class ImageCoder:
    """Files of one image. Its DCT is taken once, and so is every file or error that several methods aim at.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB.
    subsampling : str
        Chroma subsampling, such as ``"4:4:4"``.
    profile : SensitivityProfile
        What tables are designed for, and errors weighed with, whatever sampling it was estimated at.
    peers : mapping of str to callable, optional
        Other encoders by name: ``peer(pixels, subsampling, quality)`` gives a file.
    """

    def __init__(
        self,
        pixels: Pixels,
        subsampling: str,
        profile: SensitivityProfile,
        peers: Mapping[str, Peer] | None = None,
    ) -> None:
        self._pixels, self._subsampling = pixels, subsampling
        # whoever looks at many images says once that the profile is used elsewhere, see `check_sampling`
        self._profile = replace(profile, provenance=replace(profile.provenance, subsampling=subsampling))
        self._peers = dict(peers or {})
        self._image = forward(pixels, subsampling, threads=1)
        self._statistics = gather(self._image, threads=1)
        self._normalized = profile.normalized()
        weighted = self._normalized.weights.reshape(3, 64, 1) * self._statistics.empirical
        self._errors = np.array([weighted[0], weighted[1:].sum(axis=0)])
        self._opts_tables: dict[float, Tables] = {}
        self._jpeg_files: dict[float, bytes] = {}

    def encode(self, condition: Condition) -> Coded:
        """Make the file of a condition.

        Raises
        ------
        InvalidInputError
            If the condition is one that `check_conditions` refuses.
        """
        check_conditions([condition], self._peers)
        if condition.method in self._peers:
            return self._by_peer(condition)
        if _parts(condition.method)[2]:
            return self._by_trellis(condition)
        if condition.setting == "bytes":
            return self._within_bytes(condition)
        tables, met = self._matched(condition)
        return Coded(self._file(tables), sum(self._swe(tables)), met)

    def _matched(self, condition: Condition) -> tuple[Tables, bool]:
        """Tables of settings other than equal bytes, and whether they meet the target."""
        method, setting, level = condition.method, condition.setting, condition.level
        if setting == "fixed":
            filling = method.partition(":")[0] in WATER_FILLING
            return self._designed(method, WaterLevel(level) if filling else Quality(_quality(level))), True
        sets_target = "jpeg" if setting.startswith("1") else "opts"
        theirs = annex_k_tables(_quality(level)) if sets_target == "jpeg" else self._opts(level)
        if method == sets_target:
            return theirs, True
        wanted = self._swe(theirs)
        return self._of_swe(method, (sum(wanted),) if setting.endswith("joint") else wanted)

    def _of_swe(self, method: str, wanted: tuple[float, ...]) -> tuple[Tables, bool]:
        """Tables with an SWE in total, or of luminance and chrominance apart; otherwise the nearest ones."""
        finest, coarsest = (self._sums(tables, len(wanted)) for tables in (_FINEST, _COARSEST))
        reachable = np.clip(wanted, finest, coarsest)
        tables = self._designed(method, MatchSwe(*reachable.tolist()))
        missed = np.abs(np.subtract(self._sums(tables, len(wanted)), wanted))
        return tables, bool(missed.max() <= _TOLERANCE * sum(wanted))

    def _within_bytes(self, condition: Condition) -> Coded:
        """The best file that is no larger than that of default JPEG."""
        goal = self._jpeg(condition.level)
        if condition.method == "jpeg":
            return Coded(goal, sum(self._swe(annex_k_tables(_quality(condition.level)))), True)
        files: dict[Tables, bytes] = {}

        def size_of(tables: Tables) -> int:
            files[tables] = self._file(tables)
            return len(files[tables])

        try:
            tables = self._designed(condition.method, MaxBytes(len(goal)), size_of)
        except TargetNotMetError:
            tables = _COARSEST
            size_of(tables)
        data = files[tables]
        met = (1 - _TOLERANCE) * len(goal) <= len(data) <= len(goal)
        return Coded(data, sum(self._swe(tables)), met)

    def _by_trellis(self, condition: Condition) -> Coded:
        """The best file that is no larger than that of default JPEG, of those whose indices a trellis chose."""
        name, distortion, _ = _parts(condition.method)
        limit = len(self._jpeg(condition.level))
        tuning = tuning_for(self._profile)
        source = PixelSource(self._pixels, self._subsampling, "float", False, Metadata(), 0, 1)
        write = partial(write_jpeg, threads=1)
        coder = Coder(self._image, tuning.criterion(self._image), tuning.step_ratio, write, threads=1)
        try:
            data = Meeting(coder, source, self._profile, name or None, tuning.method, distortion).data(MaxBytes(limit))
        except TargetNotMetError:
            data = self._file(_COARSEST)
        met = (1 - _TOLERANCE) * limit <= len(data) <= limit
        return Coded(data, swe(self._image, read_jpeg(data, max_pixels=None), self._normalized), met)

    def _by_peer(self, condition: Condition) -> Coded:
        """A file of another encoder, at a quality or at the highest quality that is no larger than default JPEG."""
        files: dict[int, bytes] = {}

        def size_at(quality: float) -> int:
            whole = int(quality)
            if whole not in files:
                files[whole] = self._peers[condition.method](self._pixels, self._subsampling, whole)
            return len(files[whole])

        quality, met = condition.level, True
        if condition.setting == "fixed":
            size_at(quality)
        else:
            limit = len(self._jpeg(condition.level))
            try:
                quality, _ = largest_within(
                    size_at, limit, (1, 100), enough=np.inf, settled=lambda low, high: int(high) - int(low) <= 1
                )
            except TargetNotMetError:
                quality, met = 1, False
        data = files[int(quality)]
        return Coded(data, swe(self._image, read_jpeg(data, max_pixels=None), self._normalized), met)

    def _designed(self, method: str, target: Target, size_of: Callable[[Tables], int] | None = None) -> Tables:
        name, _, distortion = method.partition(":")
        return resolve(
            target,
            self._statistics,
            self._profile,
            method=name,
            distortion=distortion or DEFAULT_DISTORTION,
            size_of=size_of or (lambda tables: len(self._file(tables))),
        )

    def _swe(self, tables: Tables) -> tuple[float, float]:
        """Of luminance and of chrominance."""
        steps = np.array([table.steps.ravel() for table in tables], np.int64)
        luma, chroma = np.take_along_axis(self._errors, steps[..., None] - 1, axis=2).sum(axis=(1, 2)).tolist()
        return luma, chroma

    def _sums(self, tables: Tables, count: int) -> tuple[float, ...]:
        """SWE of luminance and chrominance, or (of a count of 1) their sum."""
        apart = self._swe(tables)
        return apart if count == 2 else (sum(apart),)

    def _file(self, tables: Tables) -> bytes:
        return write_jpeg(quantize(self._image, tables), threads=1)

    def _opts(self, level: float) -> Tables:
        """Tables of OptS at a water level."""
        if level not in self._opts_tables:
            self._opts_tables[level] = self._designed("opts", WaterLevel(level))
        return self._opts_tables[level]

    def _jpeg(self, quality: float) -> bytes:
        """File of default JPEG."""
        if quality not in self._jpeg_files:
            self._jpeg_files[quality] = self._file(annex_k_tables(_quality(quality)))
        return self._jpeg_files[quality]


def _quality(level: float) -> int:
    """A level as the quality factor that it is."""
    return check_quality(int(level) if level == int(level) else level)  # type: ignore[arg-type]
