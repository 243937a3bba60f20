"""What the benchmark of files for people reads from butteraugli's program, without the program, and its summary."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bjontegaard")
pytest.importorskip("jpeglib")

from benchmarks.rates.people import MEASURES, butteraugli, ours, summary
from optcodec import encode
from tests.cli_helpers import photograph


def test_distances_are_read_from_what_is_printed(tmp_path: Path) -> None:
    """The program tells the mean difference of both pictures as the norm, and their largest one before it."""
    script = tmp_path / "butteraugli_main"
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "import numpy as np\n"
        "from PIL import Image\n"
        "one, other = (np.asarray(Image.open(path)).astype(float) for path in sys.argv[1:3])\n"
        "print(f'{abs(one - other).max():.10f}')\n"
        "print(f'3-norm: {abs(one - other).mean():.6f}')\n"
    )
    script.chmod(0o755)
    pixels = photograph(24, 32)
    other = np.clip(pixels.astype(int) + 3, 0, 255).astype(np.uint8)
    difference = abs(pixels.astype(float) - other)
    distances = butteraugli(pixels, other, str(script))
    assert distances == pytest.approx(
        {"butteraugli_3": -difference.mean(), "butteraugli_max": -difference.max()}, abs=1e-6
    )


def test_ours_has_people_in_the_loop() -> None:
    pixels = photograph(24, 32)
    form = {"quality": 60, "tune": "people", "subsampling": "4:4:4", "progressive": True}
    assert ours(pixels, "4:4:4", 60, effort=4) == encode(pixels, effort=4, **form).data


def test_the_summary_has_the_worst_picture() -> None:
    rates = {
        "a": {"one against two": dict.fromkeys(MEASURES, -3.0)},
        "b": {"one against two": dict.fromkeys(MEASURES, 1.0)},
    }
    figures = summary(rates)["one against two"]["ssim_y"]
    assert (figures["bd_rate"], figures["worst"], figures["pictures"]) == (-1.0, 1.0, {"a": -3.0, "b": 1.0})
