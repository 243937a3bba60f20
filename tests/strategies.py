"""Hypothesis strategies for the input of the JPEG core: tables, coefficient images, metadata.

The images contain the rare cases of the entropy coder: DC differences of category 11, AC coefficients of category
10, runs of more than 16 zeros, coefficient 63 alone in a block, components without any AC, sampling factors that are
no power of two, sides that are no multiple of 8.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from optcodec.jpeg.image import SUBSAMPLINGS, CoefficientImage, Component, Metadata, blocks_shape
from optcodec.jpeg.tables import QuantTable

DC_RANGE = (-1024, 1023)  # DC of 8-bit samples at step 1; the largest difference has category 11
AC_LIMIT = 1023  # category 10
FLAT = QuantTable(np.full((8, 8), 16))

GREY_FACTORS = (((1, 1),),)
COLOUR_FACTORS = tuple((luminance, (1, 1), (1, 1)) for luminance in SUBSAMPLINGS.values())
# Each set adds up to at most 10 blocks in an MCU (T.81, B.2.3), so that one interleaved scan can hold all components.
ODD_FACTORS = (
    ((2, 2),),
    ((3, 1),),
    ((2, 1), (1, 2)),
    ((1, 1), (2, 2), (1, 1)),
    ((3, 1), (1, 1), (1, 1)),
    ((1, 3), (1, 1), (1, 1)),
    ((4, 1), (1, 1), (2, 1)),
    ((1, 4), (1, 1), (1, 2)),
    ((3, 2), (2, 1), (1, 2)),
    ((2, 3), (1, 3), (1, 1)),
    ((1, 1), (1, 1), (1, 1), (1, 1)),
    ((2, 2), (1, 1), (1, 1), (2, 2)),
)
ALL_FACTORS = GREY_FACTORS + COLOUR_FACTORS + ODD_FACTORS


def known_to_libjpeg(factors: tuple[tuple[int, int], ...]) -> bool:
    """Whether libjpeg reads these sampling factors: integer ratios, and as many components as a colour space has."""
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    return all(h_max % h == 0 and v_max % v == 0 for h, v in factors) and len(factors) != 2


@st.composite
def quant_tables(draw: st.DrawFn, max_step: int = 255) -> QuantTable:
    """Any table with steps 1..max_step: flat, random, or with extreme steps mixed in."""
    seed = draw(st.integers(0, 2**32 - 1))
    low = draw(st.integers(1, max_step))
    high = draw(st.integers(low, max_step))
    return QuantTable(np.random.default_rng(seed).integers(low, high + 1, (8, 8)))


@st.composite
def metadata(draw: st.DrawFn) -> Metadata:
    """Colour profile (of one or several segments), Exif and density; no Adobe segment, which fixes the colours."""
    return Metadata(
        icc_profile=draw(st.none() | _long_bytes()),
        exif=draw(st.none() | st.binary(min_size=1, max_size=40)),
        density=draw(st.tuples(st.integers(0, 2), st.integers(1, 65535), st.integers(1, 65535))),
    )


@st.composite
def _long_bytes(draw: st.DrawFn) -> bytes:
    """Random bytes, for profiles of several segments: one APP2 segment holds at most 65519 bytes of a profile."""
    nbytes = draw(st.sampled_from([1, 300, 65519, 65520, 150000]))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).bytes(nbytes)


@st.composite
def coefficient_blocks(draw: st.DrawFn, rows: int, columns: int) -> np.ndarray:
    """Blocks int16 (rows, columns, 8, 8): from empty to dense, with extreme coefficients set into them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    blocks = np.zeros((rows * columns, 64), np.int16)
    density = draw(st.sampled_from([0.0, 0.03, 0.3, 1.0]))
    scale = draw(st.sampled_from([1, 6, 300]))
    values = np.rint(random.laplace(0, scale, blocks.shape)).clip(-AC_LIMIT, AC_LIMIT)
    mask = random.random(blocks.shape) < density
    blocks[mask] = values[mask]
    dc = draw(st.sampled_from(["zero", "random", "alternating"]))
    if dc == "random":
        blocks[:, 0] = random.integers(DC_RANGE[0], DC_RANGE[1] + 1, len(blocks))
    else:
        blocks[:, 0] = 0
    if dc == "alternating":
        blocks[0::2, 0], blocks[1::2, 0] = DC_RANGE
    for _ in range(draw(st.integers(0, 6))):
        block = draw(st.integers(0, len(blocks) - 1))
        if draw(st.booleans()):
            blocks[block, 1:] = 0
        position = draw(st.sampled_from([63, 62, 1, 8]) | st.integers(1, 63))
        blocks[block, position] = draw(st.sampled_from([1, -1, AC_LIMIT, -AC_LIMIT, 512, -511]))
    return blocks.reshape(rows, columns, 8, 8)


@st.composite
def coefficient_images(
    draw: st.DrawFn,
    *,
    factors: tuple[tuple[tuple[int, int], ...], ...] = ALL_FACTORS,
    max_side: int = 70,
    max_step: int = 255,
    restart_intervals: st.SearchStrategy[int] | None = None,
    with_metadata: bool = False,
) -> CoefficientImage:
    """Coded images of any size up to max_side, with tables that are all used, in the order of their first use.

        Parameters
        ----------
        factors
    Sets of sampling factors to choose from; a set has one (h, v) for each component.
        max_side
            Largest width and height in pixels.
        max_step
            Largest quantization step.
        restart_intervals
    Strategy for the restart interval; by default none, small ones, and one longer than the image.
        with_metadata
    Whether some images have a profile, Exif and a density.
    """
    width, height = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    chosen = draw(st.sampled_from(factors))
    h_max, v_max = max(h for h, _ in chosen), max(v for _, v in chosen)
    components, used = [], 0
    for index, (h, v) in enumerate(chosen):
        table = draw(st.integers(0, used))
        used = max(used, table + 1)
        shape = blocks_shape(width, height, h, v, h_max, v_max)
        components.append(Component(index + 1, h, v, table, draw(coefficient_blocks(*shape))))
    tables = tuple(draw(quant_tables(max_step)) for _ in range(used))
    if restart_intervals is None:
        restart_intervals = st.sampled_from([0, 0, 1, 2, 5, 65535])
    carried = draw(metadata()) if with_metadata else Metadata()
    return CoefficientImage(width, height, tuple(components), tables, carried, draw(restart_intervals))


def assert_same_image(actual: CoefficientImage, expected: CoefficientImage) -> None:
    """Fail unless size, sampling, tables and every coefficient are equal."""
    assert (actual.width, actual.height) == (expected.width, expected.height)
    assert [(c.h, c.v) for c in actual.components] == [(c.h, c.v) for c in expected.components]
    for index, (ours, theirs) in enumerate(zip(actual.components, expected.components, strict=True)):
        assert actual.tables[ours.table] == expected.tables[theirs.table], f"table of component {index}"
        np.testing.assert_array_equal(ours.blocks, theirs.blocks, f"component {index}")


def image_of(
    factors: tuple[tuple[int, int], ...],
    width: int,
    height: int,
    tables: tuple[QuantTable, ...] = (FLAT,),
    *,
    share: float = 0.2,
    **more: object,
) -> CoefficientImage:
    """An image of sparse coefficients, of which a share is not 0; the components use the tables in turn."""
    random = np.random.default_rng(width)
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    components = []
    for index, (h, v) in enumerate(factors):
        shape = (*blocks_shape(width, height, h, v, h_max, v_max), 8, 8)
        values = np.rint(random.laplace(0, 6, shape)) * (random.random(shape) < share)
        components.append(Component(index + 1, h, v, min(index, len(tables) - 1), values.astype(np.int16)))
    return CoefficientImage(width, height, tuple(components), tables, **more)
