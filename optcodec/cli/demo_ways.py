"""What ``optcodec demo`` compares: files with an equal weighted error, or files that a network reads equally well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.encoder import EncodedJpeg
    from optcodec.loop.reader import Reading
    from optcodec.vision.reader import NetworkReader

    Pixels = npt.NDArray[np.uint8]
    Coded = dict[str, tuple["EncodedJpeg", float]]

__all__ = ["Comparison", "of_divergence", "of_weighted_error"]

_PROFILE, _START = "mobilenet_v2", "generic"
_VIEWS, _ROUNDS = 2, 4  # of the network in the loop: so few, so that the demo takes a minute
_DESIGNED = "optd", "opts", "rdopt"


@dataclass(frozen=True)
class Comparison:
    """Methods whose files of a photograph have an equal error.

    Parameters
    ----------
    names : mapping of str
        What the methods are called in tables; the first is default JPEG, which sets the error.
    best : str
        The method of the headline.
    error, short : str
        Name of the error in ``demo.json``, and in tables.
    subsampling : str
        Chroma subsampling of all files.
    about : dict
        What ``demo.json`` says of it.
    headline, note : str
        What is equal, as the title of the contact sheet begins, and what stands below.
    code : callable
        The files of a photograph with their errors, by method.
    """

    names: Mapping[str, str]
    best: str
    error: str
    short: str
    subsampling: str
    about: dict[str, Any]
    headline: str
    note: str
    code: Callable[[Pixels], Coded]


def of_weighted_error(quality: int) -> Comparison:
    """Tables by three methods that reach the sensitivity weighted error of default JPEG at a quality."""
    from optcodec.vision.profile import load_profile

    profile = load_profile(_PROFILE)
    weights, subsampling = profile.normalized(), profile.provenance.subsampling

    def code(pixels: Pixels) -> Coded:
        from optcodec.design import design_tables
        from optcodec.encoder import encode
        from optcodec.jpeg.dct import forward
        from optcodec.metrics import swe
        from optcodec.targets import MatchSwe

        reference = forward(pixels, subsampling, threads=1)
        # Errors of coefficients are compared, and those that overshoot differ on purpose.
        form: dict[str, Any] = {"subsampling": subsampling, "threads": 1, "overshoot": False}
        files = {"jpeg": encode(pixels, quality=quality, **form)}
        target = MatchSwe(swe(reference, files["jpeg"].coefficients, weights))
        for method in _DESIGNED:
            tables = design_tables(reference, target, profile=profile, method=method)
            files[method] = encode(pixels, tables=tables, **form)
        return {method: (file, swe(reference, file.coefficients, weights)) for method, file in files.items()}

    return Comparison(
        {"jpeg": f"JPEG q{quality}", "optd": "OptD", "opts": "OptS", "rdopt": "RD-OPT"},
        "rdopt",
        "swe",
        "SWE",
        subsampling,
        {"profile": profile.name},
        "The same weighted error for MobileNetV2",
        f"SWE: sensitivity weighted error for MobileNetV2, equal in each row. All files are {subsampling} baseline "
        "JPEG with optimal Huffman tables. Bytes against default JPEG; PSNR in dB over RGB.",
        code,
    )


def of_divergence(name: str, reader: Callable[[int], NetworkReader], quality: int) -> Comparison:
    """The smallest files whose divergence for a network is at most that of default JPEG at a quality.

    Parameters
    ----------
    name : str
        Of the network.
    reader : callable
        Makes a reader of the network with so many views. Each photograph has its own.
    quality : int
        Of default JPEG.
    """

    def code(pixels: Pixels) -> Coded:
        from optcodec.encoder import encode
        from optcodec.loop.targets import MaxLoss
        from optcodec.vision.profile import load_profile

        network = reader(_VIEWS)
        reading = network(pixels)
        form: dict[str, Any] = {"subsampling": "4:2:0", "threads": 1}
        files = {"jpeg": encode(pixels, quality=quality, **form)}
        form |= {"target": MaxLoss(_loss(reading, files["jpeg"])), "reader": network, "tune": load_profile(_START)}
        for method, rounds in (("weights", 0), ("network", _ROUNDS)):
            files[method] = encode(pixels, rounds=rounds, **form)
        return {method: (file, _loss(reading, file)) for method, file in files.items()}

    return Comparison(
        {"jpeg": f"JPEG q{quality}", "weights": "weights", "network": "loop"},
        "network",
        "divergence",
        "KL",
        "4:2:0",
        {"network": name},
        f"The same divergence for {name}",
        f"KL: divergence of {name}'s output from that on the original, in nats; at most that of default JPEG. All "
        "files are 4:2:0 baseline JPEG with optimal Huffman tables. PSNR in dB over RGB.",
        code,
    )


def _loss(reading: Reading, file: EncodedJpeg) -> float:
    from optcodec.pictures.pixels import decoded_pixels

    return float(reading(decoded_pixels(file.data))[0])
