"""Names of chroma subsamplings, for what writes files and for the options of the command line."""

from __future__ import annotations

__all__ = ["AUTO", "SUBSAMPLINGS"]

# Sampling factors (H, V) of the luminance component; chrominance has (1, 1).
SUBSAMPLINGS: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "4:4:0": (1, 2)}
AUTO = "auto"  # in place of a name: the one that suits the picture, see `optcodec.subsampling`
