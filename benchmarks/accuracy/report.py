"""How much smaller may files be for a network? Summarize the rows of all accuracy benchmarks.

    python -m benchmarks.accuracy.report

Joins the rows of different runs on the same images (other samplings, other profiles), writes their comparison to
``results/accuracy_summary.json``, fills the tables of the documents, and draws ``docs/rate_accuracy.png``.
"""

from __future__ import annotations

from benchmarks.accuracy.networks import BUDGETS, PACKAGES, joined_rows, rows_of_methods
from benchmarks.accuracy.tables import BASELINE, NETWORKS, OURS, PLAIN, Figure, fill
from benchmarks.record import RESULTS, ROOT, write_result
from optcodec.accuracy.rows import Rows
from optcodec.accuracy.statistics import summarize
from optcodec.report.curves import draw_to, rate_accuracy_figure, read_result


def main() -> None:
    summary = {name: {base: curves(name, base) for base in (BASELINE, PLAIN)} for name in NETWORKS}
    write_result("accuracy_summary", {"networks": summary}, packages=PACKAGES)
    results = [f"rate_accuracy_{name}_{sampling}.json" for name in NETWORKS for sampling in ("444", "420")]
    figure = rate_accuracy_figure([read_result(RESULTS / result) for result in results], settings=["bytes"])
    (ROOT / "docs" / "rate_accuracy.png").write_bytes(draw_to(figure, ".png"))
    fill()


def curves(name: str, baseline: str) -> list[Figure]:
    """Curves of all methods at equal bytes and both samplings, compared with the method ``baseline``."""
    parts: dict[str, Rows] = {}
    shown = {"jpeg": "JPEG", "opts:laplacian": "OptS (eq. 14)", "rdopt": "RD-OPT, clean"}
    shown |= {"mozjpeg": "mozjpeg", "jpegli": "jpegli"}
    for sampling in ("4:4:4", "4:2:0"):
        titles = {method: f"{title}, {sampling}" for method, title in shown.items()}
        parts |= rows_of_methods(f"rate_accuracy_{name}_{sampling.replace(':', '')}", titles, BUDGETS)
    parts |= rows_of_methods(f"beyond_opts_{name}_420", {"rdopt, at quality 40": OURS}, BUDGETS)
    compared: list[Figure] = summarize(joined_rows(parts), baseline=baseline)["comparisons"]["curves"]
    return compared


if __name__ == "__main__":
    main()
