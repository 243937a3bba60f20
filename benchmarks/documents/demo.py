"""Run `optcodec demo`, and put its figures into docs/networks.md and its picture into the README.

    OPTCODEC_DATA=DATA python -m benchmarks.documents.demo

Writes benchmarks/results/demo.json and demo_network.json, which is of SqueezeNet 1.1, docs/demo.jpg (the contact sheet
of the latter, encoded by optcodec itself) and the first table of docs/networks.md.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import optcodec
from benchmarks.accuracy.networks import data
from benchmarks.markdown import table as markdown_table
from benchmarks.record import ROOT, load_result, write_result

PICTURE_NBYTES = 480_000
NETWORK = "squeezenet1_1"


def main() -> None:
    """Run the demo, write its results, picture and table, and print whether the table changed."""
    with tempfile.TemporaryDirectory() as folder:
        report = demo(Path(folder), "demo")
    with tempfile.TemporaryDirectory() as folder:
        weights = str(data() / "weights" / f"{NETWORK}.safetensors")
        demo(Path(folder), "demo_network", "--network", NETWORK, "--weights", weights)
        sheet = optcodec.encode(
            Path(folder) / "demo.png",
            target=optcodec.MaxBytes(PICTURE_NBYTES),
            subsampling="4:4:4",
            progressive="smaller",
        )
    (ROOT / "docs/demo.jpg").write_bytes(sheet.data)
    page = ROOT / "docs/networks.md"
    text = page.read_text("utf-8")
    new = re.sub(r"\| astronaut \|.*?\| mean \|[^\n]*", table(report), text, count=1, flags=re.DOTALL)
    page.write_text(new, "utf-8")
    change = "is as it was" if new == text else "has new figures"
    print(f"docs/networks.md {change}; docs/demo.jpg: {sheet.nbytes:,} bytes")


def demo(folder: Path, result: str, *options: str) -> dict[str, Any]:
    """Run the demo, and write what it reports as a result."""
    done = subprocess.run(
        [sys.executable, "-m", "optcodec", "demo", str(folder), *options, "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    figures = {name: value for name, value in report.items() if name not in ("command", "versions", "machine")}
    write_result(result, figures, packages=("numpy", "numba", "pillow", "scikit-image"))
    return report


def of_network() -> str:
    """The table of the demo for a network."""
    report = load_result("demo_network")
    rows = []
    for photo in report["photographs"]:
        jpeg, *others = photo["methods"]
        figures = [f"{each['divergence']:.3g}" for each in (jpeg, others[-1])]
        changes = [f"{method['change_percent']:+.1f} %" for method in others]
        rows.append([photo["photograph"], f"{jpeg['nbytes']:,}", *changes, *figures])
    means = report["mean_change_percent"]
    rows.append(["mean", "", f"{means['weights']:+.1f} %", f"{means['network']:+.1f} %", "", ""])
    header = ["photograph", "JPEG bytes", "`--rounds 0`", "`--network`", "divergence of JPEG", "of `--network`"]
    return markdown_table(header, rows)


def table(report: dict[str, Any]) -> str:
    """The rows of the table: bytes of default JPEG, and the change in % with each other method, by photograph."""
    rows = []
    for photo in report["photographs"]:
        jpeg, *others = photo["methods"]
        changes = " | ".join(f"{method['change_percent']:+.1f} %" for method in others)
        rows.append(f"| {photo['photograph']} | {jpeg['nbytes']:,} | {changes} |")
    means = report["mean_change_percent"]
    changes = " | ".join(f"{means[method]:+.1f} %" for method in ("optd", "opts", "rdopt"))
    return "\n".join([*rows, f"| mean | | {changes} |"])


if __name__ == "__main__":
    main()
