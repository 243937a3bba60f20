"""All figures of the documents are those of the committed results, and links lead somewhere."""

from __future__ import annotations

import importlib
import json
import re

import pytest

from benchmarks.accuracy import loop_tables
from tests.documents.pages import PAGES, ROOT


def test_table_is_that_of_the_results() -> None:
    report = json.loads((ROOT / "benchmarks/results/demo.json").read_text())
    rows = []
    for photo in report["photographs"]:
        jpeg, *others = photo["methods"]
        changes = " | ".join(f"{method['change_percent']:+.1f} %" for method in others)
        rows.append(f"| {photo['photograph']} | {jpeg['nbytes']:,} | {changes} |")
    means = report["mean_change_percent"]
    changes = " | ".join(f"{means[method]:+.1f} %" for method in ("optd", "opts", "rdopt"))
    rows.append(f"| mean | | {changes} |")
    assert "\n".join(rows) in PAGES["docs/networks.md"]


def test_the_readme_says_what_files_for_networks_gain() -> None:
    page = " ".join(PAGES["README.md"].split())
    said = {
        "network_loop": (
            "loop, {}",
            "for five networks, {} to {} % fewer bytes than default JPEG at the same divergence",
        ),
        "network_loop_whole": ("loop, {}", "and {} to {} % fewer for whole photographs"),
        "network_profiles_whole": ("crop, generic", "`--blocks crop:224/256` takes {} to {} % off default JPEG"),
    }
    for result, (way, sentence) in said.items():
        document = json.loads((ROOT / f"benchmarks/results/{result}.json").read_text())
        rates = [loop_tables.rate(document, way.format(name), name)["value"] for name in document["networks"]]
        assert sentence.format(f"{-max(rates):.0f}", f"{-min(rates):.0f}") in page


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#([^)]*))?\)", PAGES[page])
    for target, heading in targets:
        path = (ROOT / page).parent / target
        assert path.is_file(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
            assert heading in anchors, heading


def test_picture_is_small() -> None:
    assert (ROOT / "docs/demo.jpg").stat().st_size < 500_000


def test_speed_figures_are_those_of_the_committed_run():
    results = [json.loads((ROOT / f"benchmarks/results/{name}.json").read_text()) for name in ("speed", "speed_avx2")]
    rows = re.findall(r"^\| (?:12 mega|224x224)[^|]*((?:\| [\d.]+ ){4})\|$", PAGES["docs/speed.md"], re.MULTILINE)
    measured = [
        [
            f"{result['cases'][case]['times_faster'][f'{ours} / {peer}']:.2f}"
            for result in results
            for peer in ("simplejpeg", "pillow")
        ]
        for case, ours in (("12 MP", "float"), ("12 MP", "exact"), ("224x224", "float"))
    ]
    assert [row.replace("|", " ").split() for row in rows] == measured


def test_times_of_a_first_run_are_those_of_the_committed_run() -> None:
    commands = json.loads((ROOT / "benchmarks/results/startup.json").read_text())["commands"]
    names = ("encode, cold", "encode --effort 3 --progressive, cold", "warm-up, cold")
    measured = [f"{commands[name]['median_seconds']:.0f}" for name in names]
    text = " ".join(PAGES["docs/speed.md"].split())
    seconds = re.search(r": (\d+) s for a plain `encode`, (\d+) s with `.*?`, (\d+) s for all of them", text)
    assert seconds is not None
    assert list(seconds.groups()) == measured


TABLES = importlib.import_module("benchmarks.accuracy.tables")


@pytest.mark.parametrize("path", TABLES.DOCUMENTS)
def test_tables_are_those_of_the_results(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert "<!-- table: " in text
    assert TABLES.filled(text) == text


@pytest.mark.parametrize("path", TABLES.DOCUMENTS)
def test_no_table_shows_a_value_of_python(path: str) -> None:
    rows = [line for line in (ROOT / path).read_text("utf-8").splitlines() if line.startswith("|")]
    assert rows
    assert not [row for row in rows if re.search(r"\{'|\bNone\b|\bnan\b|np\.float", row)]
