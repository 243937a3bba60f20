"""Images that do not fit into memory together are processed one after the other, with the same results."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from optcodec.batch import memory
from optcodec.batch.memory import Room, available_nbytes
from optcodec.batch.opening import needed_nbytes
from optcodec.console.many import Done, process_files
from tests.cli_helpers import photograph, run, save


def most_at_once(needs: list[int], nbytes: int | None, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Run work with these needs in bytes on four threads; return the largest number that ran together, and bytes."""
    monkeypatch.setattr("optcodec.batch.run.available_nbytes", lambda: nbytes)
    running: list[int] = []
    seen: list[tuple[int, int]] = []
    lock = threading.Lock()

    def work(index: int) -> Done:
        with lock:
            running.append(needs[index])
            seen.append((len(running), sum(running)))
        time.sleep(0.02)
        with lock:
            running.remove(needs[index])
        return Done({"index": index})

    paths = [Path(str(index)) for index in range(len(needs))]
    records, failures = process_files(paths, work, workers=4, label="", nbytes=needs.__getitem__)
    assert [record["index"] for record in records] == list(range(len(needs)))
    assert failures == []
    return max(count for count, _ in seen), max(nbytes_in_use for _, nbytes_in_use in seen)


@pytest.mark.parametrize(
    ("needs", "nbytes", "count"),
    [
        ([10] * 12, 1000, 4),
        ([10] * 12, None, 4),
        ([500] * 6, 1000, 1),
        ([300] * 8, 1000, 2),
        ([5000, 10, 5000, 10, 10], 1000, 3),  # work that needs more than the available memory runs alone
    ],
)
def test_work_that_does_not_fit_into_memory_waits(
    monkeypatch: pytest.MonkeyPatch, needs: list[int], nbytes: int | None, count: int
) -> None:
    pieces, nbytes_in_use = most_at_once(needs, nbytes, monkeypatch)
    assert 1 <= pieces <= count
    if nbytes is not None:
        assert nbytes_in_use <= max(0.8 * nbytes, max(needs))
    if needs == [10] * 12:
        assert pieces > 1  # work that fits into the memory runs in parallel


def test_a_failure_gives_its_memory_back() -> None:
    room = Room(100)

    def fail() -> None:
        with room.taking(90):
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()
    with room.taking(80):
        pass


def test_needs_follow_from_the_header(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "webp"):
        assert needed_nbytes(save(tmp_path / f"a.{suffix}", photograph(30, 40)), 7) == 7 * 30 * 40
    (tmp_path / "b.png").write_bytes(b"no image")
    for odd in (tmp_path / "b.png", tmp_path / "none.png", tmp_path, Path("-")):
        assert needed_nbytes(odd, 7) == 0


def test_a_batch_is_the_same_with_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        save(tmp_path / f"in/{number}.png", photograph(24 + number, 32))
    written = []
    for nbytes in (None, 1):
        monkeypatch.setattr("optcodec.batch.run.available_nbytes", lambda nbytes=nbytes: nbytes)
        out = tmp_path / ("plenty" if nbytes is None else "little")
        result = run("encode", tmp_path / "in", "-o", out, "--threads", 3)
        assert result.exit_code == 0
        table, _, summary = result.stdout.strip().rpartition("\n")
        assert summary.startswith("5 files: ")  # it ends with the time
        written.append((table.replace(str(out), ""), [path.read_bytes() for path in sorted(out.iterdir())]))
    assert written[0] == written[1]


def test_the_least_of_machine_and_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, limit, used = tmp_path / "meminfo", tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(memory, "_MEMINFO", machine)
    monkeypatch.setattr(memory, "_CGROUPS", ((limit, used, "inactive_file"),))
    assert available_nbytes() is None
    machine.write_text("MemTotal:       16384 kB\nMemFree:          100 kB\nMemAvailable:    8192 kB\nodd\n")
    assert available_nbytes() == 8 << 20
    limit.write_text("max\n")
    used.write_text("1048576\n")
    assert available_nbytes() == 8 << 20
    limit.write_text(f"{4 << 20}\n")
    assert available_nbytes() == 3 << 20
    (tmp_path / "memory.stat").write_text("anon 7\ninactive_file 524288\n")  # a cache, which the system can give back
    assert available_nbytes() == 7 << 19
    used.write_text(f"{6 << 20}\n")
    assert available_nbytes() == 0
    machine.unlink()
    limit.write_text("max")
    assert available_nbytes() is None


def test_this_machine_tells_its_memory() -> None:
    if not Path("/proc/meminfo").exists():
        pytest.skip("no /proc on this system")
    available = available_nbytes()
    assert available is not None
    assert 0 <= available < 1 << 50
