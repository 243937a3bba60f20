"""Ways to make the file of a photograph that networks read, for `benchmarks.accuracy.network_loop`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from benchmarks.accuracy import others
from benchmarks.accuracy.networks import mean_profile
from benchmarks.accuracy.others import Pixels
from optcodec import MaxBytes, NetworkReader, Readers, blocks_by, encode, load_profile
from optcodec.accuracy.classifier import torch_classifier
from optcodec.accuracy.reader import ClassifierReader
from optcodec.fit.ways import CROP
from optcodec.peers.encoders import PEERS
from optcodec.vision.models import TargetModel

NETWORKS = others.ALL
JPEG = "default JPEG"
QUALITIES, FINER = (5, 10, 20, 40), (70, 90)  # the latter are of default JPEG only, so that the curves overlap


@dataclass(frozen=True)
class Way:
    """How files are made.

    Parameters
    ----------
    kind : str
        ``jpeg``; ``peer``, another encoder; ``tables``, by a method; ``tune``, with a trellis; ``without``, the same
        for the mean profile of all networks but some; and with networks at the encoder ``choose``, ``weights`` or
        ``loop``.
    networks : tuple of str
        The networks at the encoder; for ``tables`` and ``tune``, the one whose profile is taken; for ``without``, those
        that are left out.
    tuning : str
        Tuning or profile that it starts from; name of the encoder, or of the method.
    fidelity : float
        What plain squared error counts beside the networks of a ``loop``.
    crop : bool
        Whether what all these networks crop away of whole photographs counts less; for ``tune``.
    """

    kind: str
    networks: tuple[str, ...] = ()
    tuning: str = "generic"
    fidelity: float = 0.0
    crop: bool = False

    @property
    def levels(self) -> tuple[int, ...]:
        """Qualities at which files are made, or of default JPEG in whose bytes."""
        return (*QUALITIES, *FINER) if self.kind in ("jpeg", "peer") else QUALITIES

    @property
    def readers(self) -> tuple[str, ...]:
        """The networks whose output is looked at while the file is made."""
        return self.networks if self.kind in ("choose", "weights", "loop") else ()

    def file(self, original: Pixels, quality: int, whole: bool) -> bytes:
        """The file of a photograph."""
        if self.kind == "peer":
            return PEERS[self.tuning](original, "4:2:0", quality)
        plain = partial(encode, original, subsampling="4:2:0", threads=1)
        file = plain(quality=quality)
        if self.kind == "jpeg":
            return file.data
        return plain(target=MaxBytes(file.nbytes), **self.settings(whole)).data

    def settings(self, whole: bool) -> dict[str, Any]:
        """Arguments of `encode`, besides the size."""
        if self.kind == "tables":
            profile = load_profile(f"{self.networks[0]}_420") if self.networks else None
            return {"method": self.tuning, "profile": profile, "effort": 2}
        if self.kind == "without":
            return {"tune": mean_profile([name for name in NETWORKS if name not in self.networks]), "effort": 3}
        tune: Any = self.tuning if self.tuning == "psnr" else load_profile(self.tuning)
        if self.kind == "tune":
            return {"tune": tune, "effort": 3, "blocks": blocks_by(CROP) if self.crop else None}
        targets = [target(name, whole) for name in self.networks]
        if self.kind == "choose":
            return {"reader": [ClassifierReader(torch_classifier(each)) for each in targets]}
        rounds = {"rounds": 0} if self.kind == "weights" else {}
        readers = Readers([NetworkReader(each) for each in targets], fidelity=self.fidelity)
        return {"tune": tune, "reader": readers, **rounds}


def ways() -> dict[str, Way]:
    """All ways by name."""
    found = {JPEG: Way("jpeg")} | {name: Way("peer", tuning=name) for name in ("mozjpeg", "mozjpeg-flat", "jpegli")}
    found |= {"OptD": Way("tables", tuning="optd"), "DeepN-JPEG": Way("tables", tuning="deepn")}
    found |= {f"OptS, {name}": Way("tables", (name,), "opts") for name in NETWORKS[:2]}
    found |= {"trellis for PSNR": Way("tune", tuning="psnr"), "generic": Way("tune")}
    found |= {f"dnn:{name}": Way("tune", (name,), f"{name}_420") for name in NETWORKS}
    found |= {f"crop, {name}": replace(found[name], crop=True) for name in list(found) if found[name].kind == "tune"}
    pairs = zip(NETWORKS, (*NETWORKS[1:], NETWORKS[0]), strict=True)
    found |= {f"generic without {' and '.join(pair)}": Way("without", pair) for pair in pairs}
    for kind in ("choose", "weights", "loop"):
        found |= {f"{kind}, {name}": Way(kind, (name,)) for name in NETWORKS}
    found |= {"weights, the first 4": Way("weights", NETWORKS[:4])}
    found |= {f"loop, the first {count}": Way("loop", NETWORKS[:count]) for count in (2, 3, 4)}
    return found | {"loop, the first 2, fidelity 0.2": Way("loop", NETWORKS[:2], fidelity=0.2)}


@cache
def target(name: str, whole: bool) -> TargetModel:
    """A network for squares, or for whole photographs."""
    return others.load(name, crops=not whole)
