"""How many seconds does a command of `optcodec` take, from the start to the end of the process?

For each command, the median, the least and the largest wall time of several runs are reported, and the median of the
processor time, which depends less on the load of the machine. The bare interpreter and the import of numpy are measured
for comparison. "Cold" runs have an empty kernel cache, so that every kernel they need is compiled. Writes
benchmarks/results/startup.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import write_result

GOALS_SECONDS = {"help": 0.25, "inspect": 0.25, "encode": 0.7, "encode with a profile": 0.7, "encode, cold": 6.0}


def main() -> None:
    """Time the commands, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="number of timed runs of each command")
    parser.add_argument("--cold-runs", type=int, default=3, help="number of runs with an empty kernel cache")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(Path(folder), arguments.runs, arguments.cold_runs)
    for name, row in rows.items():
        goal = f"goal {GOALS_SECONDS[name]:.2f}" if name in GOALS_SECONDS else ""
        print(
            f"{name:27} {row['median_seconds']:.3f} s ({row['least']:.3f} to {row['most']:.3f}), "
            f"processor {row['median_processor_seconds']:.3f} s  {goal}"
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    write_result("startup", {"load_average": load, "commands": rows, "goals_seconds": GOALS_SECONDS})


def _measure(folder: Path, runs: int, cold_runs: int) -> dict[str, dict[str, Any]]:
    """Times of all commands by name, warm and cold."""
    rng = np.random.default_rng(1)
    low = Image.fromarray(rng.integers(0, 256, (14, 14, 3), np.uint8))
    low.resize((224, 224), Image.Resampling.BICUBIC).save(folder / "small.png")
    low.resize((224, 224), Image.Resampling.BICUBIC).save(folder / "small.jpg")
    tool = [sys.executable, "-m", "optcodec"]
    encode = [*tool, "encode", str(folder / "small.png"), "-o", str(folder / "out.jpg")]
    profile = ["--profile", "mobilenet_v2", "--water-level", "0.05"]
    warm = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "help": [*tool, "--help"],
        "inspect": [*tool, "inspect", str(folder / "small.jpg")],
        "encode": encode,
        "encode with a profile": encode + profile,
    }
    rows = {name: _times(command, runs, lambda: {}) for name, command in warm.items()}
    cold = {
        "encode, cold": encode,
        "encode with a profile, cold": encode + profile,
        "encode --effort 3 --progressive, cold": [*encode, "--effort", "3", "--progressive"],
        "warm-up, cold": [*tool, "warm-up"],
    }
    for name, command in cold.items():
        rows[name] = _times(command, cold_runs, lambda: {"OPTCODEC_CACHE": tempfile.mkdtemp(dir=folder)}, warm_up=False)
    return rows


def _times(command: list[str], runs: int, environment: Any, *, warm_up: bool = True) -> dict[str, Any]:
    """Median, least and largest seconds of a command; with ``warm_up`` the first run is left out."""
    seconds, processor = [], []
    for _ in range(runs + warm_up):
        variables = os.environ | environment()
        before, start = _children_seconds(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=variables)
        seconds.append(time.perf_counter() - start)
        processor.append(_children_seconds() - before)
    seconds, processor = seconds[warm_up:], processor[warm_up:]
    return {
        "median_seconds": round(statistics.median(seconds), 4),
        "least": round(min(seconds), 4),
        "most": round(max(seconds), 4),
        "median_processor_seconds": round(statistics.median(processor), 4),
        "runs": len(seconds),
    }


def _children_seconds() -> float:
    """Processor time of all ended children so far."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
