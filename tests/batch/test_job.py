"""The job on one picture: a value that can be pickled, with the same result as `optcodec.encode`."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
from optcodec.batch.job import Job
from optcodec.batch.lock import locked
from optcodec.batch.one import attempt, code_one
from optcodec.batch.opening import Opening
from optcodec.batch.places import Member
from optcodec.batch.run import Done
from optcodec.cli.dataset import DataTally
from optcodec.design import design_tables
from optcodec.effort import Request
from optcodec.errors import InvalidInputError
from optcodec.jpeg.table_files import load_tables
from optcodec.targets import MatchQuality
from tests.batch.helpers import folder_of, hashes
from tests.cli_helpers import photograph, refusal, run, run_json, save


def job(**options: object) -> Job:
    return Job(Opening(), {"quality": 40}, **options)  # type: ignore[arg-type]


def test_a_job_is_a_value(tmp_path: Path) -> None:
    """A process that knows only the pickled job gives the same bytes and the same row."""
    source = save(tmp_path / "a.png", photograph(20, 30))
    row, data = code_one(source, tmp_path / "a.jpg", job(verify=True, psnr=True), hashed=True)
    assert data == optcodec.encode(photograph(20, 30), quality=40).data
    (tmp_path / "job").write_bytes(pickle.dumps((source, tmp_path / "a.jpg", job(verify=True, psnr=True))))
    program = (
        "import json, pickle, sys\n"
        "from optcodec.batch.one import attempt\n"
        "row, data = attempt(*pickle.load(open(sys.argv[1], 'rb')))\n"
        "print(json.dumps([row, data.hex()]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "job")]
    other, text = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert text == data.hex()
    assert other | {"seconds": None} == row | {"seconds": None}


def test_options_are_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For pixels and for coefficients, as by `encode_many`; a job that has begun can be pickled."""
    checked: list[Request] = []
    whole = Request.resolved

    def counts(request: Request, **form: str) -> Request:
        checked.append(request)
        return whole(request, **form)

    monkeypatch.setattr(Request, "resolved", counts)
    begun = job()
    sources = [
        save(tmp_path / f"{number}.{suffix}", photograph(20, 30)) for number in (0, 1) for suffix in ("png", "jpg")
    ]
    coded = [begun(source).encoded.data for source in sources]
    assert len(checked) == 1
    assert [pickle.loads(pickle.dumps(begun))(source).encoded.data for source in sources] == coded
    assert coded[0] == optcodec.encode(photograph(20, 30), quality=40).data
    assert coded[1] == optcodec.transcode(sources[1].read_bytes(), quality=40).data


def test_options_that_are_wrong_are_the_failure_of_each_picture(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", photograph(20, 30))
    wrong = Job(Opening(), {"quality": 40, "field": 3})
    for _ in range(2):
        row, data = attempt(source, tmp_path / "a.jpg", wrong)
        assert (row["state"], row["error"], data) == ("failed", "a field is a QualityField, got int", b"")


def test_what_goes_wrong_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    for source, reason in (
        (tmp_path / "a.png", "not an image file that Pillow knows"),
        (tmp_path / "none.png", f"cannot read {tmp_path / 'none.png'}: No such file or directory"),
        (Member(tmp_path / "a.png", "x", 5, 50), "expected 50 bytes, the tar file ends after 5"),
    ):
        row, data = attempt(source, tmp_path / "a.jpg", job())
        assert (row["state"], row["error"], data) == ("failed", reason, b"")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_psnr_of_files_that_are_transcoded(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph(24, 24)).convert(mode).save(path, quality=95)
    coded = Job(Opening(), {}, psnr=True)(path)
    assert coded.psnr_db == float("inf")
    if mode != "CMYK":
        coded = job(psnr=True)(path)
        before, after = (np.asarray(Image.open(file).convert("RGB")) for file in (path, io.BytesIO(coded.encoded.data)))
        assert coded.psnr_db == pytest.approx(optcodec.metrics.psnr_db(before, after), abs=0.05)
        assert coded.psnr_db < 45


def test_psnr_of_a_file_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph(64, 64)).save(path, quality=95)
    path.write_bytes(path.read_bytes()[:-800])
    coded = Job(Opening(partial=True), {"quality": 40}, psnr=True, verify=True)(path)
    assert coded.psnr_db is not None
    assert 20 < coded.psnr_db < 45
    with pytest.raises(optcodec.OptcodecError):
        job()(path)


def test_psnr_of_a_file_that_only_our_reader_decodes(tmp_path: Path) -> None:
    """What is asked to be measured does not decide which files are coded."""
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph(300, 400)).save(path, quality=95)
    sound = job(psnr=True)(path).psnr_db
    path.write_bytes(path.read_bytes()[:-2])  # EOI
    with pytest.raises(OSError, match="image file is truncated"):
        Image.open(io.BytesIO(path.read_bytes())).load()
    coded = job(psnr=True)(path)
    assert len(coded.notices) == 1
    assert coded.psnr_db == sound


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures in colour, a grey one, a JPEG file, and a damaged one."""
    folder = folder_of(tmp_path / "in", 3)
    save(folder / "grey.png", photograph(40, 40)[..., 0])
    save(folder / "old.jpg", photograph(40, 56), quality=95, subsampling="4:4:4")
    return folder


@pytest.mark.parametrize(
    ("designing", "both", "coding"),
    [
        (["--match-quality", 60], [], []),
        (["--method", "jpeg", "-q", 60], [], []),
        (["--bpp", 6], ["--subsampling", "4:4:4"], []),
        (["--profile", "mobilenet_v2", "--match-quality", 60], [], []),
        (["--match-quality", 60], [], ["--effort", 3]),
        (["--match-quality", 60], [], ["--tune", "people"]),
    ],
)
def test_shared_tables_are_those_of_design(
    tmp_path: Path, pictures: Path, designing: list[object], both: list[object], coding: list[object]
) -> None:
    """One command gives what ``design`` and ``encode --tables`` give."""
    run_json("encode", pictures, "-o", tmp_path / "one", "--shared-tables", *designing, *both, *coding)
    run_json("design", pictures, "-o", tmp_path / "tables.json", *designing, *both)
    run_json("encode", pictures, "-o", tmp_path / "two", "--tables", tmp_path / "tables.json", *both, *coding)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert load_tables(tmp_path / "one/001.jpg") == load_tables(tmp_path / "tables.json")


def test_shared_tables_for_a_quality(tmp_path: Path, pictures: Path) -> None:
    run_json("encode", pictures, "-o", tmp_path / "out", "--shared-tables", "-q", 60)
    target = MatchQuality(60, jointly=True)
    old = optcodec.read_jpeg((pictures / "old.jpg").read_bytes())  # its coefficients, not its pixels
    expected = design_tables([*sorted(pictures.rglob("*.png")), old], target, subsampling="4:2:0")
    assert load_tables(tmp_path / "out/001.jpg") == expected


def test_shared_tables_do_not_depend_on_threads_and_stay_when_a_job_goes_on(tmp_path: Path, pictures: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    options = ["--shared-tables", "--match-quality", 70]
    for threads in (1, 3):
        arguments = [*options, "--threads", threads, "--manifest", tmp_path / f"{threads}.jsonl", "--resume"]
        result = run("encode", pictures, "-o", tmp_path / f"out{threads}", *arguments)
        assert result.stderr.count("bad.png") == 1
    assert hashes(tmp_path / "out1") == hashes(tmp_path / "out3")
    known = load_tables(tmp_path / "out1/001.jpg")
    save(pictures / "new.png", np.random.default_rng(1).integers(0, 256, (90, 90, 3), np.uint8))
    run("encode", pictures, "-o", tmp_path / "out1", *options, "--manifest", tmp_path / "1.jsonl", "--resume")
    assert load_tables(tmp_path / "out1/new.jpg") == known
    run("encode", pictures, "-o", tmp_path / "anew", *options)
    assert load_tables(tmp_path / "anew/new.jpg") != known


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "--shared-tables designs tables for a target such as --bpp, or for -q/--quality; got none"),
        (["--match-psnr", 40], "does not go with --match-psnr"),
        (["--same-top1"], "does not go with --same-top1"),
        (["--tables", "t.json", "--bpp", 1], "does not go with --tables"),
        (["-q", 60, "--bpp", 1], "exclude one another"),
        (["--match-quality", 60, "--roi-strength", 2], "--roi-strength needs --roi"),
    ],
)
def test_options_that_shared_tables_do_not_go_with(
    tmp_path: Path, pictures: Path, options: list[object], expected: str
) -> None:
    assert expected in refusal("encode", pictures, "-o", tmp_path / "out", "--shared-tables", *options)
    assert not (tmp_path / "out").exists()


def test_a_file_may_be_locked(tmp_path: Path) -> None:
    path = tmp_path / "new/a.tar"
    with locked(path, folder=False):
        assert [each.name for each in path.parent.iterdir()] == [".optcodec-lock-a.tar"]
        with locked(path.with_name("b.tar"), folder=False), pytest.raises(InvalidInputError, match="in use"):
            locked(path, folder=False).__enter__()
    assert list(path.parent.iterdir()) == []


def test_the_rate_is_that_of_pictures_that_are_coded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress bar shows it; what an earlier run did does not count."""
    now = [100.0]
    monkeypatch.setattr("optcodec.cli.dataset.time.monotonic", lambda: now[0])
    tally = DataTally()
    now[0] += 4
    record = {"width": 2000, "height": 1000}
    for resumed in (False, True, False):
        tally.add(tmp_path, Done(record, resumed=resumed))
    assert tally.rate == "1.0 MP/s"
    notes: list[str | None] = []

    @contextmanager
    def bar(total: int, label: str) -> Iterator[object]:
        yield lambda **news: notes.append(news.get("note"))

    monkeypatch.setattr("optcodec.cli.dataset.progress_bar", bar)
    run_json("encode", folder_of(tmp_path / "in", 3), "-o", tmp_path / "out")
    assert len(notes) == 3
    assert all(note is not None and note.endswith(" MP/s") for note in notes)
