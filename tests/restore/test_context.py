"""What a network is told of a file besides its samples."""

from __future__ import annotations

import numpy as np
import pytest

import optcodec
from restore.channel.degradation import Degradation, Patches
from restore.runtime.context import SIGMA_UNIT, Context, condition_size
from restore.runtime.decode import receive
from restore.runtime.statistics import activities, count_magnitudes, dead_zones
from tests.cli_helpers import photograph
from tests.receiver_helpers import jpeg

STEPS = np.arange(1, 129).reshape(2, 8, 8)
ZONES = np.linspace(-1, 3, 128, dtype=np.float32).reshape(2, 8, 8)
ACTIVITIES = np.linspace(0, 12, 128, dtype=np.float32).reshape(2, 8, 8)


@pytest.mark.parametrize("tables", [1, 2])
def test_the_parts_of_a_condition(tables: int) -> None:
    condition = Context(STEPS, ZONES, ACTIVITIES, (2.0, 1.0), 8.0).condition(tables)
    assert condition.dtype == np.float32
    assert condition.shape == (condition_size(tables),) == (192 * tables + 3,)
    steps, zones, strengths, rest = np.split(condition, [64 * tables, 128 * tables, 192 * tables])
    np.testing.assert_allclose(np.exp2(8 * steps.astype(float)), STEPS[:tables].ravel(), rtol=1e-5)
    np.testing.assert_array_equal(zones, ZONES[:tables].ravel())
    np.testing.assert_array_equal(strengths, ACTIVITIES[:tables].ravel() / 8)
    subsampling = [1, 0] if tables == 2 else [0, 0]  # no matter for luminance
    np.testing.assert_array_equal(rest, [*subsampling, 8 / SIGMA_UNIT])


@pytest.mark.parametrize(
    ("mode", "subsampling", "ratios"),
    [("RGB", "4:4:4", (1, 1)), ("RGB", "4:2:2", (1, 2)), ("RGB", "4:2:0", (2, 2)), ("L", None, (1, 1))],
)
def test_the_context_of_a_file(mode: str, subsampling: str | None, ratios: tuple[int, int]) -> None:
    data = jpeg(120, 160, mode, quality=40, **({"subsampling": subsampling} if subsampling else {}))
    context, image = receive(data).context, optcodec.read_jpeg(data)
    tables = 1 if mode == "L" else 2
    np.testing.assert_array_equal(context.steps, [table.steps for table in optcodec.annex_k_tables(40)[:tables]])
    np.testing.assert_array_equal(context.tables, context.steps)
    assert context.tables.dtype == np.float32
    counts = [count_magnitudes(component.blocks) for component in image.components[:tables]]
    np.testing.assert_array_equal(context.dead_zones, [dead_zones(count) for count in counts])
    expected = [activities(count, steps) for count, steps in zip(counts, context.steps, strict=True)]
    np.testing.assert_array_equal(context.activities, expected)
    assert context.subsampling == ratios
    assert context.sigma == 0


def test_where_only_steps_are_known_all_else_is_usual() -> None:
    """A dead zone as that of libjpeg's files, activities of 0, no subsampling, and the noise that is given."""
    context = Context.of_steps(STEPS, 4.0)
    np.testing.assert_array_equal(context.dead_zones, np.full((2, 8, 8), np.float32(0.3)))
    np.testing.assert_array_equal(context.activities, np.zeros((2, 8, 8)))
    assert context.condition(2)[-3:].tolist() == [0, 0, 0.25]


@pytest.mark.parametrize(("mode", "tables"), [("L", 1), ("YCbCr", 2)])
def test_patches_that_are_coded_alone_have_the_condition_of_their_tables(mode: str, tables: int) -> None:
    picture = photograph(64, 64)
    images = [picture[..., 0] if mode == "L" else picture]
    batch = Patches(images, Degradation((10, 60), own_tables=0.5), side=16, count=5).batch(0)
    assert batch.conditions.shape == (5, condition_size(tables))
    for condition, steps in zip(batch.conditions, batch.tables, strict=True):
        np.testing.assert_array_equal(condition, Context.of_steps(steps).condition(tables))
    assert batch.reference is batch.tables
