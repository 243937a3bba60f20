"""Senders: encoders that make the file of a picture for a target, those of others as well as our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optcodec.encoder import encode
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.extras import load_function
from optcodec.matching import Target
from optcodec.metrics import luminance_ssim, mean_square
from optcodec.peers.encoders import PEERS, require_peers
from optcodec.peers.line import Peer, PeerLine, largest_peer_file, smallest_peer_file
from optcodec.targets import MatchPsnr, MatchSsim, MaxBytes, Quality

__all__ = ["OptcodecSender", "PeerSender", "Sender", "own_encoder", "peer_sender"]

Pixels = npt.NDArray[np.uint8]

_START_OF_IMAGE = b"\xff\xd8"


class Sender(Protocol):
    """An encoder that makes the file of a picture for a target."""

    @property
    def name(self) -> str:
        """Its name in tables and figures."""

    def encode(self, pixels: Pixels, subsampling: str, target: Target) -> bytes:
        """The file of a picture.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
            RGB, or gray.
        subsampling : str
            Chroma subsampling, where the sender has no other one of its own.
        target : Quality, MaxBytes, MatchPsnr or MatchSsim
            A quality factor; the largest file, or the least likeness of the decoded picture.

        Raises
        ------
        OptcodecError
            If the encoder fails, or no file meets the target (`TargetNotMetError`).
        """


@dataclass(frozen=True)
class PeerSender:
    """An encoder that takes whole qualities of 1..100; targets are met by the quality that comes nearest.

    Parameters
    ----------
    name : str
        Its name.
    encoder : callable
        Takes pixels, a chroma subsampling and a quality, and gives a file.
    """

    name: str
    encoder: Peer

    def encode(self, pixels: Pixels, subsampling: str, target: Target) -> bytes:
        """See `Sender`."""
        if isinstance(target, Quality):
            return self.encoder(pixels, subsampling, target.quality)
        line = PeerLine(self.encoder, pixels, subsampling)
        if isinstance(target, MaxBytes):
            return largest_peer_file(line, target.nbytes).data
        if isinstance(target, MatchPsnr):
            limit = 255.0**2 / 10 ** (target.psnr_db / 10)
            return smallest_peer_file(line, mean_square, limit, f"{target}: a squared error").data
        if isinstance(target, MatchSsim):
            likeness = f"{target}: 1 - SSIM"
            return smallest_peer_file(line, lambda a, b: 1 - luminance_ssim(a, b), 1 - target.ssim, likeness).data
        raise InvalidInputError(f"expected Quality, MaxBytes, MatchPsnr or MatchSsim, got {target!r}")


@dataclass(frozen=True)
class OptcodecSender:
    """Our own encoder, with some options.

    Parameters
    ----------
    name : str
        Its name.
    arguments : mapping
        Arguments of `optcodec.encode`, without quality and target. With effort 1, which knows no targets, they are met
        by whole qualities, as for other encoders.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, pixels: Pixels, subsampling: str, target: Target) -> bytes:
        """See `Sender`."""
        if self.arguments.get("effort") == 1:
            return PeerSender(self.name, self._of_quality).encode(pixels, subsampling, target)
        if isinstance(target, Quality) and not self.arguments.get("method"):
            return self._of_quality(pixels, subsampling, target.quality)
        return self._file(pixels, subsampling, target=target)

    def _of_quality(self, pixels: Pixels, subsampling: str, quality: int) -> bytes:
        return self._file(pixels, subsampling, quality=quality)

    def _file(self, pixels: Pixels, subsampling: str, **aim: Any) -> bytes:
        chosen = {name: value for name, value in self.arguments.items() if value is not None}
        arguments: dict[str, Any] = {"subsampling": subsampling, "threads": 1} | chosen
        return encode(pixels, **arguments, **aim).data


def peer_sender(name: str, encoder: str) -> PeerSender:
    """The encoder of somebody else, by its name in `PEERS`, or one of the user's own.

    Parameters
    ----------
    name : str
        What it is called in tables.
    encoder : str
        ``pillow`` (libjpeg-turbo with optimized Huffman tables), ``mozjpeg``, ``mozjpeg-flat``, ``jpegli``; or
        ``package.module:function``, see `own_encoder`.

    Raises
    ------
    InvalidInputError
        If there is no such encoder, or its package is missing.
    """
    if encoder in PEERS:
        require_peers([encoder], extra="rates")
        return PeerSender(name, _guarded(encoder, PEERS[encoder]))
    if ":" in encoder:
        return PeerSender(name, own_encoder(encoder))
    expected = f"{', '.join(PEERS)}, optcodec or package.module:function"
    raise InvalidInputError(f"no sender {encoder!r}; expected {expected}")


def own_encoder(name: str) -> Peer:
    """A user's function that encodes: it takes pixels, a chroma subsampling and a quality of 1..100, and gives bytes.

    Raises
    ------
    InvalidInputError
        If there is no function of this name.
    """
    return _guarded(name, load_function(name, "a sender"))


def _guarded(name: str, function: Peer) -> Peer:
    """An encoder whose faults are an `InvalidInputError`, so that one picture does not end a run."""

    def encoder(pixels: Pixels, subsampling: str, quality: int) -> bytes:
        try:
            data = function(pixels, subsampling, quality)
        except (OptcodecError, MemoryError):
            raise
        except Exception as error:  # the function is not ours: it may raise anything
            raise InvalidInputError(f"{name} raises {type(error).__name__} at quality {quality}: {error}") from error
        if not isinstance(data, bytes) or not data.startswith(_START_OF_IMAGE):
            what = f"bytes that start with {data[:2].hex()}" if isinstance(data, bytes) else f"a {type(data).__name__}"
            raise InvalidInputError(f"{name} gives {what}; expected the bytes of a JPEG file, which start with ffd8")
        return data

    return encoder
