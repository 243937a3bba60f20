"""Run `optcodec demo`, and put its figures into docs/networks.md and its picture into the README.

    python -m benchmarks.documents.demo

Writes benchmarks/results/demo.json, docs/demo.jpg (the contact sheet, encoded by optcodec itself) and the table of
docs/networks.md.
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
from benchmarks.record import ROOT, write_result

PICTURE_NBYTES = 480_000


def main() -> None:
    """Run the demo, write its result, picture and table, and print whether the table changed."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "optcodec", "demo", folder, "--json"], check=True, capture_output=True, text=True
        )
        report = json.loads(done.stdout)
        sheet = optcodec.encode(
            Path(folder) / "demo.png",
            target=optcodec.MaxBytes(PICTURE_NBYTES),
            subsampling="4:4:4",
            progressive="smaller",
        )
    figures = {name: value for name, value in report.items() if name not in ("command", "versions", "machine")}
    write_result("demo", figures, packages=("numpy", "numba", "pillow", "scikit-image"))
    (ROOT / "docs/demo.jpg").write_bytes(sheet.data)
    page = ROOT / "docs/networks.md"
    text = page.read_text("utf-8")
    new = re.sub(r"\| astronaut \|.*?\| mean \|[^\n]*", table(report), text, count=1, flags=re.DOTALL)
    page.write_text(new, "utf-8")
    change = "is as it was" if new == text else "has new figures"
    print(f"docs/networks.md {change}; docs/demo.jpg: {sheet.nbytes:,} bytes")


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
