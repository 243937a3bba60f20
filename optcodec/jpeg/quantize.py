"""Stand-in (numpy) until the kernel lands."""
from __future__ import annotations
from collections.abc import Sequence
import numpy as np
from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage, Metadata
from optcodec.jpeg.tables import QuantTable

def quantize(image: DctImage, tables: Sequence[QuantTable], *, metadata: Metadata = Metadata()) -> CoefficientImage:
    """tables: (luminance,) or (luminance, chrominance) or one per component."""
    comps = []
    for i, c in enumerate(image.components):
        t = min(i, len(tables) - 1)
        comps.append(Component(c.id, c.h, c.v, t, np.rint(c.coefficients / tables[t].steps.astype(np.float32)).astype(np.int16)))
    used = max(c.table for c in comps) + 1
    return CoefficientImage(image.width, image.height, tuple(comps), tuple(tables[:used]), metadata)

def dequantize(image: CoefficientImage) -> DctImage:
    return DctImage(image.width, image.height, tuple(DctComponent(c.id, c.h, c.v, (c.blocks * image.tables[c.table].steps.astype(np.float32)).astype(np.float32)) for c in image.components))
