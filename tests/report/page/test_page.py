"""The HTML of pages: its structure, what it loads, and the verb that writes it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import webbrowser
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec.errors import InvalidInputError
from optcodec.report.curves import Interval
from optcodec.report.page.colours import ends_of, heat
from optcodec.report.page.reading import page_of
from optcodec.report.page.render import render
from optcodec.report.page.sections import Change, Heatmap, Overlay, Page, Part, Savings
from tests.cli_helpers import photograph, refusal, run, run_json, save
from tests.report.page import samples

VOID = {"meta", "img", "input", "br", "link"}


class Document(HTMLParser):
    """The elements of a page, with their attributes and the text inside of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[list[str]] = []
        self.open: list[int] = []
        self.feed(text)
        assert self.open == [], [self.elements[index] for index in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append([])
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("path", "svg"):
            return
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self.open:
            self.texts[index].append(data)

    def all(self, tag: str, **attributes: str) -> list[tuple[dict[str, str], str]]:
        """Attributes and text of the elements with a tag and some attributes."""
        return [
            (found, "".join(text))
            for (name, found), text in zip(self.elements, self.texts, strict=True)
            if name == tag and attributes.items() <= found.items()
        ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of all kinds of results."""
    folder = tmp_path_factory.mktemp("page")
    paths = [samples.KINDS[kind](folder / kind) for kind in samples.KINDS]
    return render(page_of(paths)).decode()


def test_every_element_is_closed_and_every_name_unique(page: str) -> None:
    document = Document(page)
    names = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(names) == len(set(names)) > 30
    named = [attributes["aria-labelledby"] for _, attributes in document.elements if "aria-labelledby" in attributes]
    assert set(named) <= set(names)
    assert len(document.all("h1")) == 1
    assert len(document.all("h2")) == len(samples.KINDS)
    assert [text for attributes, text in document.all("a") if not attributes["href"].startswith("#")] == []


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    document = Document(page)
    for tag, attributes in document.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:image/").startswith("data:image/"), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "url(" not in re.sub(r"data:[^\"]*", "", document.all("style")[0][1])


def test_the_policy_allows_the_scripts_of_the_page_only(page: str) -> None:
    document = Document(page)
    ((policy, _),) = document.all("meta", **{"http-equiv": "Content-Security-Policy"})
    scripts = [text for attributes, text in document.all("script") if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert policy["content"].startswith("default-src 'none';")
    assert policy["content"].endswith(f"script-src {allowed}")
    assert len(scripts) == 5


def test_pictures_have_texts_and_controls_have_names(page: str) -> None:
    document = Document(page)
    pictures = [attributes for attributes, _ in document.all("img")]
    assert all("alt" in attributes for attributes in pictures)
    assert {"photo: original", "photo: coded"} <= {attributes["alt"] for attributes in pictures}
    for attributes, text in document.all("button"):
        assert attributes.get("aria-label") or text.strip()
        assert attributes["type"] == "button"
    assert all(attributes.get("aria-label") for attributes, _ in document.all("input", type="range"))


def test_the_page_alone_is_small(page: str) -> None:
    assert len(re.sub(r'"data:image/[^"]*"', '""', page)) < 2_000_000


def test_texts_are_escaped(tmp_path: Path) -> None:
    """Names come from files of others; they stay text."""
    evil = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>'
    text = render(page_of([samples.written(tmp_path / "r.json", samples.rates(("jpeg", "optcodec", evil)))])).decode()
    document = Document(text)
    assert [attributes for attributes, _ in document.all("img")] == []
    assert len([each for each in document.all("script") if "type" not in each[0]]) == 5
    charts = [json.loads(script) for _, script in document.all("script", type="application/json")]
    assert {evil in [line["name"] for line in chart["lines"]] for chart in charts} == {True}
    assert any(text.strip().startswith(evil) for _, text in document.all("span", **{"class": "name"}))


@pytest.mark.parametrize(("kind", "expected"), [("compare", False), ("rates", True)])
def test_single_figures_have_no_column_of_intervals(kind: str, expected: bool, tmp_path: Path) -> None:
    document = Document(render(page_of([samples.KINDS[kind](tmp_path)])).decode())
    columns = [text for _, text in document.all("th", scope="col")]
    assert "PSNR dB" in columns
    assert ("interval" in columns) == expected


def test_bars_lie_where_their_figures_are() -> None:
    changes = [
        Change("a", Interval(-30, -40, -20), "subject"),
        Change("b", Interval(0, 0, 0)),
        Change("c", Interval(10, 5, 60)),
        Change("d", Interval(-5, -np.inf, np.inf)),
    ]
    document = Document(render(Page("t", [Part("p", "c", ["h"], [Savings("s", changes)])])).decode())
    ranges = [attributes["style"] for attributes, _ in document.all("i", **{"class": "range"})]
    assert ranges == ["left: 80.0%; width: 20.0%", "left: 60.0%; width: 0.0%", "left: 0.0%; width: 55.0%",
                      "left: 0.0%; width: 100.0%"]  # fmt: skip
    assert {attributes["style"] for attributes, _ in document.all("i", **{"class": "zero"})} == {"left: 60.0%"}
    figures = [text.replace("\u00a0", " ") for _, text in document.all("span", **{"class": "figure"})]
    assert figures == ["30.0 % 20.0 to 40.0", "0.0 % the reference", "-10.0 % -60.0 to -5.0", "5.0 % no interval"]


def test_scales_of_signed_values_are_centred_on_0() -> None:
    overlay = Overlay("gain", "dB", np.array([[-1.0, 4.0]]), 32, signed=True)
    assert ends_of(overlay) == (-4, 4)
    assert ends_of(Overlay("bits", "bits", np.array([[7.0, 7.0]]), 32)) == (7, 8)
    cells = heat(Heatmap("h", ("r",), ("a", "b", "c"), [[-10.0, 0.0, 10.0, None]], "+.0f", signed=True))
    assert [text for text, _, _ in cells[0]] == ["-10", "+0", "+10", ""]
    assert [background for _, background, _ in cells[0]] == [
        "rgb(33 102 172)",
        "rgb(247 247 247)",
        "rgb(178 24 43)",
        "transparent",
    ]
    better = heat(Heatmap("h", ("r",), ("a",), [[-10.0, 10.0]], "+.0f", signed=True, more_is_better=True))
    assert [background for _, background, _ in better[0]] == ["rgb(178 24 43)", "rgb(33 102 172)"]


def test_digits_can_be_read_in_every_cell() -> None:
    """Each colour of both scales has the contrast that WCAG 2.2 asks for, 4.5 to 1."""

    def light(colour: str) -> float:
        named = {"#000": (0, 0, 0), "#fff": (255, 255, 255)}
        channels = np.array(named.get(colour) or [int(part) for part in re.findall(r"\d+", colour)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for signed in (False, True):
        values = [[float(value) for value in np.linspace(-1, 1, 101)]]
        for _, background, colour in heat(Heatmap("h", ("r",), ("a",), values, signed=signed))[0]:
            bright, dark = sorted((light(background), light(colour)), reverse=True)
            assert (bright + 0.05) / (dark + 0.05) > 4.5, background


def test_the_verb_writes_the_page(tmp_path: Path) -> None:
    result, output = samples.KINDS["rates"](tmp_path), tmp_path / "new/report.html"
    report = run_json("report", result, "-o", output)
    assert report == {"results": [str(result)], "output": str(output), "nbytes": output.stat().st_size}
    assert output.read_bytes() == render(page_of([result]))
    assert not stat.S_IMODE(output.stat().st_mode) & 0o111


def test_pictures_of_the_user(tmp_path: Path) -> None:
    original, coded = samples.pictures(tmp_path)
    result, output = samples.KINDS["rates"](tmp_path), tmp_path / "report.html"
    pictures = [f"--picture={name}={path}" for name, path in (("original", original), ("decoded", coded))]
    run_json("report", result, "-o", output, *pictures)
    shown = [attributes.get("data-name") for attributes, _ in Document(output.read_text()).all("img")]
    names = [name for name in shown if name is not None]
    assert names == ["original", "decoded"]


def test_pictures_of_the_user_replace_those_of_the_result(tmp_path: Path) -> None:
    result = samples.KINDS["compare"](tmp_path)
    original, coded = samples.pictures(tmp_path)
    pictures = [f"--picture={name}={path}" for name, path in (("before", original), ("after", coded))]
    run_json("report", result, "-o", tmp_path / "report.html", *pictures)
    document = Document((tmp_path / "report.html").read_text())
    shown = [attributes.get("data-name") for attributes, _ in document.all("img")]
    assert [name for name in shown if name is not None] == ["before", "after"]
    assert len([text for _, text in document.all("h3") if text == "Maps of the blocks"]) == 1


def test_open_starts_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url)))
    result = run("report", samples.KINDS["verify"](tmp_path), "-o", tmp_path / "a b.html", "--open")
    assert opened == [(tmp_path / "a b.html").as_uri()]
    assert result.stderr == f"no browser could be started; open {tmp_path / 'a b.html'} yourself\n"
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("no json", "found Expecting value"),
        ("[]", "is no result that a report can be made of; expected one of: optcodec rates, restore pipeline, "),
        ('{"format": "optcodec rates 9"}', "is no result that a report can be made of"),
        ('{"format": "optcodec rates 1"}', "is no result of optcodec rates: 'measures' is missing"),
        ('{"files": [], "total_nbytes": 0, "failures": []}', "is no result of optcodec encode --json: it has no coded"),
        ('{"files": [], "reference": "a.png"}', "is no result of optcodec compare --json: it has no files"),
        ('{"photographs": [], "mean_change_percent": {}}', "is no result of optcodec demo: it has no photographs"),
        ('{"maps": {}, "input": "a.png"}', "is no result of optcodec blocks show --json: it has no maps"),
        ('{"uncompressed": 1, "points": [], "comparisons": []}', "is no result of optcodec accuracy: "),
    ],
)
def test_what_is_no_result_is_refused(content: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    line = refusal("report", path, "-o", tmp_path / "report.html")
    assert line.startswith(f"Error: {path}")
    assert expected in line
    assert list(tmp_path.iterdir()) == [path]


def test_mixed_measures_are_refused(tmp_path: Path) -> None:
    record = samples.rates()
    del record["rows"][3]["measures"]["ssim"]
    path = samples.written(tmp_path / "r.json", record)
    line = refusal("report", path, "-o", tmp_path / "report.html")
    assert line == f"Error: {path} is no result of optcodec rates, restore pipeline: a row has the measures psnr; " \
        "expected psnr and ssim"  # fmt: skip
    record = samples.evaluate()
    del record["rows"][3]["lpips"]
    line = refusal("report", samples.written(path, record), "-o", tmp_path / "report.html")
    assert line.endswith("a row has no lpips; expected the measures psnr and lpips")
    record = samples.evaluate() | {"measures": ["psnr", "smell"]}
    line = refusal("report", samples.written(path, record), "-o", tmp_path / "report.html")
    assert "it has the measures smell; expected some of psnr, " in line


def arguments(folder: Path, name: str) -> list[Any]:
    """Options that do not fit."""
    original, coded = samples.pictures(folder)
    other = save(folder / "other.png", photograph(30, 30))
    (folder / "text.png").write_text("no picture")
    return {
        "subject": ["--subject", "nobody"],
        "name": ["--picture", str(original), "--picture", f"b={coded}"],
        "missing": ["--picture", f"a={original}", "--picture", f"b={folder / 'none.jpg'}"],
        "no picture": ["--picture", f"a={original}", "--picture", f"b={folder / 'text.png'}"],
        "size": ["--picture", f"a={original}", "--picture", f"b={other}"],
    }[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subject", "--subject 'nobody' is not compared; expected one of optcodec:tune=psnr, mozjpeg, jpeg"),
        ("name", "--picture is NAME=FILE, such as decoded=photo.jpg; got "),
        ("missing", "none.jpg: No such file or directory"),
        ("no picture", "text.png: "),
        ("size", "other.png has 30x30 pixels; expected 90x70 as "),
    ],
)
def test_options_that_do_not_fit(name: str, expected: str, tmp_path: Path) -> None:
    result, output = samples.KINDS["rates"](tmp_path), tmp_path / "report.html"
    assert expected in refusal("report", result, "-o", output, *arguments(tmp_path, name))
    assert not output.exists()


def test_a_subject_where_nothing_is_compared_by_name(tmp_path: Path) -> None:
    path = samples.KINDS["verify"](tmp_path)
    line = refusal("report", path, "-o", tmp_path / "report.html", "--subject", "x")
    assert line.endswith(f"--subject names what is compared; {path} of optcodec verify --json compares nothing by name")


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    result = samples.KINDS["verify"](tmp_path)
    (tmp_path / "file").touch()
    assert "cannot write" in refusal("report", result, "-o", tmp_path / "file/report.html")
    assert run("report", result, "-o", tmp_path / "report.pdf").exit_code == 2
    assert run("report", result, "-o", tmp_path / "report.html", "--picture", "a=b.png").exit_code == 2
    assert not (tmp_path / "report.html").exists()


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a manifest of optcodec encode"):
        page_of([tmp_path / "none.jsonl"])
