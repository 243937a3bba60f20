"""``optcodec encode --compare``: a page of what was saved, with the pictures before and after."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

pytest.importorskip("vl_convert")


def encode(folder: Path, *options: object) -> Result:
    result = run("encode", folder / "in", "-o", folder / "out", "-q", 60, "--compare", folder / "page.html", *options)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a folder of 20 pictures, one of them gray."""
    for number in range(19):
        save(tmp_path / f"in/{number}.png", photograph(40 + number, 60))
    save(tmp_path / "in/gray.png", photograph(40, 60)[..., 0])
    return tmp_path


def test_a_folder_has_previews_and_bytes(photos: Path) -> None:
    result = encode(photos)
    text = (photos / "page.html").read_text()
    assert "18 of 20 pictures are shown, chosen by the PSNR from original to coded." in text
    assert "Typical: around the median PSNR" in text
    before, after = (sum(path.stat().st_size for path in (photos / name).iterdir()) for name in ("in", "out"))
    assert f"{before:,} bytes became {after:,}." in text
    assert f"20 files: {before:,} -&gt; {after:,} bytes" not in text
    assert f"20 files: {before:,} -> {after:,} bytes" in result.stdout
    assert "The 10 of 20 pictures that saved least" in text


def test_the_page_is_the_one_of_the_report(photos: Path) -> None:
    """What ``--compare`` shows is what ``optcodec report`` makes of the same result."""
    record = run_json("encode", photos / "in", "-o", photos / "out", "-q", 60, "--compare", photos / "page.html")
    (photos / "r.json").write_text(json.dumps(record))
    assert run("report", photos / "r.json", "-o", photos / "report.html").exit_code == 0
    page, report = ((photos / name).read_text() for name in ("page.html", "report.html"))
    assert page.count("<img") == report.count("<img") > 40
    start, end = '<div class="sections">', "<h3>How this result was made</h3>"
    assert page.partition(start)[2].partition(end)[0] == report.partition(start)[2].partition(end)[0]


def test_a_job_that_goes_on_shows_all_of_it(photos: Path) -> None:
    """The page is no part of the job: it may be added later, and copies of it are no pictures."""
    options = ("--manifest", photos / "job.jsonl")
    run("encode", photos / "in", "-o", photos / "out", "-q", 60, *options)
    save(photos / "in/new.png", photograph(30, 30))
    encode(photos, *options, "--resume")
    assert "18 of 21 pictures are shown" in (photos / "page.html").read_text()


def test_the_page_is_never_copied_as_another_file(photos: Path) -> None:
    page = photos / "in/page.html"
    options = ("-q", 60, "--other", "copy", "--compare", page)
    for _ in range(2):
        result = run("encode", photos / "in", "-o", photos / "out", *options)
        assert result.exit_code == 0, result.output
    assert page.is_file()
    assert not (photos / "out/page.html").exists()


def test_without_a_coded_picture_there_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(b"no picture")
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out", "--compare", tmp_path / "page.html")
    assert result.exit_code == 1
    assert f"{tmp_path / 'page.html'} was not written: no picture was coded" in messages(result)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "-o", "out.jpg", "--open"], "--open shows the page of --compare; expected --compare PAGE"),
        (["a.png", "-o", "-", "--compare", "page.html"], "--compare shows files; got stdin or stdout"),
        (["a.jpg", "-o", "a.jpg", "--force", "--compare", "page.html"], "got an output that replaces"),
        (["a.tar", "-o", "out.tar", "--compare", "page.html"], "--compare shows single files; got the tar file a.tar"),
        (["a.png", "-o", "memory://out.jpg", "--compare", "page.html"], "files of this machine; got memory://out.jpg"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_a_page_that_cannot_be_made_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str, dry: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("a.png"), photograph(30, 40))
    save(Path("a.jpg"), photograph(30, 40))
    with tarfile.open("a.tar", "w") as file:
        file.add("a.png")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert message in refusal("encode", *arguments, *dry)
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    original = save(tmp_path / "a.png", photograph(30, 40))
    result = run("encode", original, "-o", tmp_path / "a.jpg", "--compare", tmp_path / "page.pdf")
    assert result.exit_code == 2
    assert "page.pdf should end in .html or .htm" in result.stderr
    assert not (tmp_path / "a.jpg").exists()
