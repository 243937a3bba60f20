"""``restore run --compare``: a page with a slider between decoded and restored pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from restore.cli import main
from tests import receiver_helpers as tiny
from tests.receiver_helpers import jpeg, save_model

pytest.importorskip("vl_convert")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_model(tmp_path, tiny.box(), tiny.box_chrominance())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_the_page_shows_what_was_decoded_and_restored(tmp_path: Path, model: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"in/{name}.jpg").write_bytes(jpeg(50, 70, quality=30))
    page = tmp_path / "page.html"
    result = run(tmp_path / "in", "-o", tmp_path / "out", "--model", model, "--compare", page)
    assert result.exit_code == 0, result.stderr
    text = page.read_text()
    assert "2 pictures, decoded and restored." in text
    assert "to what is decoded" in text  # PSNR: the original is not known


def test_a_folder_has_previews(tmp_path: Path, model: Path) -> None:
    (tmp_path / "in").mkdir()
    for quality in range(10, 90, 4):
        (tmp_path / f"in/{quality}.jpg").write_bytes(jpeg(50, 70, quality=quality))
    page = tmp_path / "page.html"
    result = run(tmp_path / "in", "-o", tmp_path / "out", "--model", model, "--compare", page)
    assert result.exit_code == 0, result.stderr
    text = page.read_text()
    assert "18 of 20 pictures are shown, chosen by the PSNR from decoded to restored." in text
    assert "Changed most: the lowest PSNR" in text
    nbytes = (tmp_path / "in/10.jpg").stat().st_size
    assert f"<b>10.jpg</b> {nbytes:,} bytes, PSNR " in text


def test_the_page_is_opened(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    (tmp_path / "a.jpg").write_bytes(jpeg(50, 70, quality=30))
    page = tmp_path / "page.html"
    options = ("-o", tmp_path / "a.png", "--model", model, "--compare", page, "--open")
    result = run(tmp_path / "a.jpg", *options)
    assert result.exit_code == 0, result.stderr
    assert opened == [page.as_uri()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.png", "--open"], "--open shows the page of --compare; expected --compare PAGE"),
        (["-o", "out.png", "--compare", "page.pdf"], "page.pdf should end in .html or .htm"),
        (["-o", "-", "--compare", "page.html"], "--compare shows files; got stdin or stdout"),
        (["-o", "a.jpg", "--force", "--compare", "page.html"], "got an output that replaces"),
        (["-o", "out.png", "--compare", "missing.html/page.html"], "missing.html"),
    ],
)
def test_a_page_that_cannot_be_made_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(jpeg(50, 70, quality=30))
    Path("missing.html").write_text("a file, and no folder")
    result = run("a.jpg", *options, "--model", model)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not Path("out.png").exists()
