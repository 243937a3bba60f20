"""The benchmark that kills jobs over a whole data set sees whatever is lost, doubled, changed or left over."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed.whole_set import OPTIONS, Job, Seen, checked, hashes
from tests.batch.helpers import folder_of
from tests.cli_helpers import run


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that is done."""
    done = Job(folder_of(tmp_path / "in", 4), tmp_path / "out")
    run("encode", done.source, "-o", done.output, "--manifest", done.manifest, *OPTIONS)
    return done


def first(job: Job) -> Path:
    return next(path for path in sorted(job.output.rglob("*")) if path.is_file())


def lose_a_row(job: Job) -> None:
    job.manifest.write_text("".join(job.manifest.read_text().splitlines(keepends=True)[:-1]))


def double_a_row(job: Job) -> None:
    job.manifest.write_text(job.manifest.read_text() + job.manifest.read_text().splitlines(keepends=True)[-1])


@pytest.mark.parametrize(
    "damage",
    [
        lambda job: first(job).unlink(),
        lambda job: first(job).write_bytes(b"other"),
        lambda job: (job.output / ".optcodec-0123456789abcdef.part").touch(),
        lambda job: shutil.copy(first(job), job.output / "twice.jpg"),
        lose_a_row,
        double_a_row,
    ],
    ids=["lost", "changed", "left over", "added", "no row", "two rows"],
)
def test_what_is_wrong_in_the_end_is_seen(job: Job, damage: Callable[[Job], object]) -> None:
    expected = hashes(job.output)
    checked(job, expected)
    damage(job)
    with pytest.raises(SystemExit):
        checked(job, expected)


def test_what_is_written_again_is_counted(job: Job) -> None:
    seen = Seen()
    assert seen.look(job) == {"rows": 4, "files_without_row": 0, "unfinished": 0}
    path = first(job)
    content = path.read_bytes()
    path.unlink()
    lose_a_row(job)
    path.with_name("another").touch()  # so that the file system does not give the same number again
    path.write_bytes(content)
    (job.output / ".optcodec-0123456789abcdef.part").touch()
    assert seen.look(job) == {"rows": 3, "files_without_row": 2, "unfinished": 1}
    assert seen.written_again == 1
