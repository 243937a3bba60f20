"""Restoring while the file is decoded row by row: same image, each row decoded twice, and bounded memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec import CoefficientRows
from restore import load_model
from restore.runtime.band import Band, Blocks
from restore.runtime.decode import Received, receive
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.models import Model
from restore.runtime.settings import Settings
from tests import receiver_helpers as tiny
from tests.receiver_helpers import jpeg, save_model
from tests.restore.test_decode import from_scratch


def loaded(folder: Path) -> Model:
    return load_model(save_model(folder, tiny.box(), tiny.box_chrominance(), border=1))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[CoefficientRows]:
    """A list that gets one entry each time that a file is decoded from its beginning."""
    begun: list[CoefficientRows] = []
    every_row = CoefficientRows.__iter__

    def spied(rows: CoefficientRows) -> Iterator[tuple[Blocks, ...]]:
        begun.append(rows)
        return every_row(rows)

    monkeypatch.setattr(CoefficientRows, "__iter__", spied)
    return begun


@pytest.mark.parametrize("size", [(1, 1), (17, 70), (130, 93)])
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "L"},
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"subsampling": "4:2:0", "restart_marker_blocks": 3},
        {"subsampling": "4:2:0", "progressive": True},
    ],
    ids=str,
)
def test_rows_give_the_same_image_as_coefficients_and_are_decoded_twice(
    tmp_path: Path, passes: list[CoefficientRows], options: dict[str, object], size: tuple[int, int]
) -> None:
    data = jpeg(*size, **options, quality=20)
    held, model = Received(optcodec.read_jpeg(data)), loaded(tmp_path)
    for tile in (16, 32, 512):
        by_rows = restored_image(receive(data), model, Settings(tile=tile))
        np.testing.assert_array_equal(by_rows, restored_image(held, model, Settings(tile=tile)))
    np.testing.assert_array_equal(decode_image(receive(data)), decode_image(held))
    # those of `receive`: three to be restored, once for their statistics and once for their samples; the last once
    assert len(passes) == 3 * 2 + 1
    np.testing.assert_array_equal(decode_image(receive(data), centroid=True), decode_image(held, centroid=True))


@pytest.mark.parametrize("factors", [(4, 1), (1, 4), (4, 2), (3, 1), (1, 2)])
def test_rows_give_the_same_image_at_any_sampling(
    tmp_path: Path, passes: list[CoefficientRows], factors: tuple[int, int]
) -> None:
    data = optcodec.write_jpeg(from_scratch([factors, (1, 1), (1, 1)], (150, 131)))
    model = loaded(tmp_path)
    restored = restored_image(receive(data), model, Settings(tile=32))
    np.testing.assert_array_equal(
        restored, restored_image(Received(optcodec.read_jpeg(data)), model, Settings(tile=32))
    )
    assert len(passes) == 2


def test_released_rows_are_decoded_again(passes: list[CoefficientRows]) -> None:
    data = jpeg(200, 90, "L")
    received, whole = receive(data), optcodec.read_jpeg(data).components[0].blocks
    np.testing.assert_array_equal(received.blocks(0, (0, 64), (16, 80)), whole[:8, 2:10])
    received.release(64)
    np.testing.assert_array_equal(received.blocks(0, (72, 200), (0, 96)), whole[9:25])
    assert len(passes) == 1
    np.testing.assert_array_equal(received.blocks(0, (0, 16), (0, 96)), whole[:2])
    assert len(passes) == 2


def test_a_band_drops_released_rows() -> None:
    rows = optcodec.read_jpeg_rows(jpeg(400, 64, subsampling="4:2:0"))
    band = Band(rows)
    for top in range(0, 50, 2):
        band.release([top, top // 2, top // 2])
        band.blocks(0, (top, min(top + 6, 50)), (0, 8))
        assert sum(len(blocks) for _, blocks in band._chunks[0]) <= 6
        assert sum(len(blocks) for _, blocks in band._chunks[2]) <= 3


def test_damage_raises_when_its_rows_are_decoded(tmp_path: Path) -> None:
    data = bytearray(jpeg(400, 300, "L", quality=80, restart_marker_rows=1))
    place = data.rindex(b"\xff\xd0") + 2
    data[place : place + 40] = bytes(40)
    received = receive(bytes(data))
    received.luminance((0, 128), (0, 300))
    with pytest.raises(optcodec.MalformedJpegError) as late:
        restored_image(received, loaded(tmp_path))
    with pytest.raises(optcodec.MalformedJpegError) as early:
        optcodec.read_jpeg(bytes(data))
    assert str(late.value) == str(early.value)


_CHILD = """
import sys
from restore.cli import main
for path in sys.argv[2:]:
    main(["run", path, "-o", path + ".png", "--model", sys.argv[1], "--no-project"], standalone_mode=False)
    # not ru_maxrss, which begins with what the parent has
    print(*(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    """3000x3000 samples, whose coefficients are 18 MB, take little more than 600x3000, in the same process."""
    model = save_model(tmp_path, tiny.identity())
    part = optcodec.read_jpeg(jpeg(600, 3000, "L", quality=10))
    blocks = np.concatenate([part.components[0].blocks] * 5)
    blocks.flags.writeable = False
    component = optcodec.Component(1, 1, 1, 0, blocks)
    high = optcodec.CoefficientImage(3000, 3000, (component,), part.tables)
    for name, image in (("low.jpg", part), ("high.jpg", high)):
        (tmp_path / name).write_bytes(optcodec.write_jpeg(image))
    command = [sys.executable, "-c", _CHILD, model, tmp_path / "low.jpg", tmp_path / "high.jpg"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    low, after = (int(line.split()[1]) // 1024 for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    assert (tmp_path / "high.jpg.png").stat().st_size > 4 * (tmp_path / "low.jpg.png").stat().st_size
    assert (low > 50, after - low < 8, after < 200) == (True, True, True), (low, after)
