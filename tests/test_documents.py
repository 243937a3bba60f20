"""The examples of the README and of the pages in docs run, and all figures are those of the committed results."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import optcodec.cli
import restore.cli
from optcodec.accuracy.statistics import summarize
from tests.cli_helpers import photograph, save
from tests.synthetic_rows import synthetic_rows

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
}
VERBS = (
    "encode",
    "design",
    "inspect",
    "compare",
    "sensitivity",
    "accuracy",
    "verify",
    "fit",
    "rates",
    "plot",
    "blocks",
)
PROGRAMS = {"optcodec": optcodec.cli.main, "restore": restore.cli.main}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


EXAMPLES = [(page, number) for page in PAGES for number in range(len(blocks(page, "python")))]


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_python_examples_run(page: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(page, "python")[number], f"{page}, example {number + 1}", "exec"), {})


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")])
def test_command_lines_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = photograph(64, 80)
    for name in (
        "photo.png",
        "old.jpg",
        "noisy.png",
        "small.png",
        "photos/photo.png",
        "photos/second.png",
        "out/a.jpg",
    ):
        save(tmp_path / name, pixels)
    tiny_weights(tmp_path / "weights.safetensors")
    tiny_weights(tmp_path / "mobilenet_v2.safetensors", "mobilenet_v2")
    measured = {"model": "a network", "subsampling": "4:4:4", **summarize(synthetic_rows({"jpeg": 1, "opts": 0.8}))}
    (tmp_path / "result.json").write_text(json.dumps(measured))
    for line in [line for block in blocks(page, "console") for line in block.splitlines()]:
        program, *arguments = shlex.split(line)
        result = CliRunner().invoke(PROGRAMS[program], arguments)
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_there_are_examples_of_everything() -> None:
    assert len(EXAMPLES) >= 7
    lines = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    verbs = {" ".join(line.split()[:2]) for line in lines}
    assert {f"optcodec {verb}" for verb in VERBS} <= verbs
    assert {"restore run", "restore evaluate", "restore pipeline"} <= verbs


def tiny_weights(path: Path, name: str = "squeezenet1_1") -> None:
    """A file of random weights of a network of torchvision."""
    import safetensors.torch
    import torch
    from torchvision import models

    torch.manual_seed(0)
    safetensors.torch.save_file(models.get_model(name).state_dict(), path)


def test_the_two_commands_come_first() -> None:
    assert blocks("README.md", "bash")[0].splitlines() == [
        "pip install '.[demo]' && optcodec demo",
        "pip install '.[test]' && pytest",
    ]


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


def test_table_of_networks_that_took_no_part_is_that_of_the_results() -> None:
    results = json.loads((ROOT / "benchmarks/results/transfer.json").read_text())
    plain, *others = results["ways"].values()
    networks = "squeezenet1_1", "mobilenet_v2", "efficientnet_lite0"
    expected = [
        [
            *(f"{way[name]['ratio']:.2f} [{way[name]['low']:.2f}, {way[name]['high']:.2f}]" for name in networks),
            f"{way['psnr_db']:.1f}",
        ]
        for way in others
    ]
    table = PAGES["docs/networks.md"].partition("| files made for | ")[2].partition("\n\n")[0]
    assert [[cell.strip() for cell in line.split("|")[2:-1]] for line in table.splitlines()[2:]] == expected
    text = " ".join(PAGES["docs/networks.md"].split())
    assert f"on {results['images']} photographs of 299x299 pixels" in text
    assert f"(quality {results['quality']}, 4:2:0)" in text
    assert f"Default JPEG has a PSNR of {plain['psnr_db']:.1f} dB" in text


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


def test_all_pages_are_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", PAGES["README.md"]))
    assert linked == PAGES.keys() - {"README.md"}


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
