"""Code one image under many conditions; what the conditions share is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.conditions import TRELLIS, Condition
from optcodec.design import (
    DEFAULT_DISTORTION,
    DISTORTIONS,
    METHODS,
    SCALED,
    WATER_FILLING,
    Design,
    DesignedFile,
    Files,
    gather,
    line_of_method,
    resolve,
)
from optcodec.design.histogram import MAX_STEP
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import QuantTable, check_quality
from optcodec.jpeg.writer import write_jpeg
from optcodec.lines import Candidate
from optcodec.matching import MET, Target, meet
from optcodec.peers.line import Peer, PeerFile, PeerLine, largest_peer_file
from optcodec.targets import MatchSwe, MaxBytes, Quality, WaterLevel
from optcodec.trellis.coder import Coder
from optcodec.trellis.line import TrellisLine
from optcodec.trellis.sharing import also_shared, better
from optcodec.trellis.tuning import tuning_for
from optcodec.vision.profile import SensitivityProfile

__all__ = ["Coded", "ImageCoder", "Peer", "check_conditions"]

Pixels = npt.NDArray[np.uint8]
Tables = tuple[QuantTable, ...]

_PEER_SETTINGS = ("fixed", "bytes")


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
        self._files = Files(lambda tables: len(self._file(tables)), self._file)
        self._design = Design.of("jpeg", self._statistics, self._profile)
        self._opts_files: dict[float, DesignedFile] = {}
        self._jpeg_files: dict[float, DesignedFile] = {}

    def encode(self, condition: Condition) -> Coded:
        """Make the file of a condition.

        Raises
        ------
        InvalidInputError
            If the condition is one that `check_conditions` refuses.
        """
        check_conditions([condition], self._peers)
        if condition.setting == "bytes":
            return self._within_bytes(condition)
        if condition.method in self._peers:
            file: Candidate = PeerFile(self._peer_line(condition.method), int(condition.level))
            return Coded(file.data, sum(file.swe), True)
        file, met = self._matched(condition)
        return Coded(file.data, sum(file.swe), met)

    def _matched(self, condition: Condition) -> tuple[DesignedFile, bool]:
        """File of settings other than equal bytes, and whether it meets the target."""
        method, setting, level = condition.method, condition.setting, condition.level
        if setting == "fixed":
            filling = method.partition(":")[0] in WATER_FILLING
            return self._designed(method, WaterLevel(level) if filling else Quality(_quality(level))), True
        reference_method = "jpeg" if setting.startswith("1") else "opts"
        reference = self._jpeg(level) if reference_method == "jpeg" else self._opts(level)
        if method == reference_method:
            return reference, True
        return self._of_swe(method, reference.swe, jointly=setting.endswith("joint"))

    def _of_swe(self, method: str, wanted: tuple[float, ...], *, jointly: bool) -> tuple[DesignedFile, bool]:
        """File with an SWE in total, or of luminance and chrominance apart; otherwise the nearest one."""

        def parts(errors: tuple[float, ...]) -> tuple[float, ...]:
            return (sum(errors),) if jointly else errors

        finest, coarsest = (parts(self._with_steps(step).swe) for step in (1, MAX_STEP))
        reachable = np.clip(parts(wanted), finest, coarsest)
        file = self._designed(method, MatchSwe(*reachable.tolist()))
        missed = np.abs(np.subtract(parts(file.swe), parts(wanted)))
        return file, bool(missed.max() <= MET * sum(wanted))

    def _within_bytes(self, condition: Condition) -> Coded:
        """The best file that is no larger than that of default JPEG."""
        default = self._jpeg(condition.level)
        if condition.method == "jpeg":
            return Coded(default.data, sum(default.swe), True)
        peer = condition.method in self._peers
        try:
            file = self._largest(condition.method, default.nbytes)
        except TargetNotMetError:
            file = PeerFile(self._peer_line(condition.method), 1) if peer else self._with_steps(MAX_STEP)
        least = 0.0 if peer else (1 - MET) * default.nbytes
        return Coded(file.data, sum(file.swe), least <= file.nbytes <= default.nbytes)

    def _largest(self, method: str, limit: int) -> Candidate:
        """The best file of a method that is no larger than a limit."""
        if method in self._peers:
            return largest_peer_file(self._peer_line(method), limit)
        name, distortion, trellis = _parts(method)
        if not trellis:
            return self._designed(method, MaxBytes(limit))
        tuning = tuning_for(self._profile)
        source = PixelSource(self._pixels, self._subsampling, "float", False, Metadata(), 0, 1)
        write = partial(write_jpeg, threads=1)
        criterion, shared = tuning.criterion(self._image), tuning.one_table and not name
        coder = Coder(self._image, criterion, tuning.step_ratio, write, threads=1, shared=shared)
        line = TrellisLine(coder, source, self._normalized, method=name or None)
        if name:
            line = replace(line, designs=line_of_method(self._statistics, name, self._profile, distortion))
        return better(also_shared(line, lambda line: meet(line, MaxBytes(limit)).candidate))

    def _peer_line(self, name: str) -> PeerLine:
        """Files of another encoder by quality."""
        return PeerLine(self._peers[name], self._pixels, self._subsampling, self._image, self._normalized)

    def _designed(self, method: str, target: Target) -> DesignedFile:
        """The file of designed tables that meets a target."""
        name, _, distortion = method.partition(":")
        return resolve(
            target,
            self._statistics,
            self._profile,
            method=name,
            distortion=distortion or DEFAULT_DISTORTION,
            files=self._files,
        )

    def _file(self, tables: Tables) -> bytes:
        """The file with some tables."""
        return write_jpeg(quantize(self._image, tables), threads=1)

    def _with_steps(self, step: int) -> DesignedFile:
        """The file with the same step everywhere."""
        return DesignedFile(np.full((2, 64), step), self._design, self._files)

    def _opts(self, level: float) -> DesignedFile:
        """File of OptS at a water level."""
        if level not in self._opts_files:
            self._opts_files[level] = self._designed("opts", WaterLevel(level))
        return self._opts_files[level]

    def _jpeg(self, quality: float) -> DesignedFile:
        """File of default JPEG."""
        if quality not in self._jpeg_files:
            self._jpeg_files[quality] = self._designed("jpeg", Quality(_quality(quality)))
        return self._jpeg_files[quality]


def _quality(level: float) -> int:
    """A level as the quality factor that it is."""
    return check_quality(int(level) if level == int(level) else level)  # type: ignore[arg-type]
