"""Input files, paths of output files, complete files or none, and many files at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from optcodec.batch.opening import is_jpeg
from optcodec.console.files import JPEG_SUFFIXES, Source, find_images, output_paths
from optcodec.console.many import Done, Failure, process_files, report_failures
from optcodec.console.show import columns
from optcodec.console.streams import read_bytes
from optcodec.errors import InvalidInputError
from optcodec.files import check_writable, whole_file, write_whole
from optcodec.vision.datasets import find_images as labelled_images
from restore.channel.degradation import load_photographs
from tests.cli_helpers import run_json
from tests.receiver_helpers import jpeg


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders of images, with a file that is no image."""
    for name in ("in/b.PNG", "in/sub/a.jpg", "in/notes.txt", "more/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def outputs(tree: Path, inputs: list[str], output: str | None, *, force: bool = False) -> list[str]:
    sources = find_images(tree / name for name in inputs)
    several = len(sources) > 1 or any((tree / name).is_dir() for name in inputs)
    out = None if output is None else tree / output
    paths = output_paths(sources, out, suffix=".jpg", folder=several, force=force)
    return [str(path.relative_to(tree)) for path in paths]


def test_folders_are_searched_and_files_taken_once(tree: Path) -> None:
    sources = find_images([tree / "in", tree / "in/sub/a.jpg", tree / "missing.png"])
    assert sources == [
        Source(tree / "in/b.PNG", Path("b.PNG")),
        Source(tree / "in/sub/a.jpg", Path("sub/a.jpg")),
        Source(tree / "missing.png", Path("missing.png")),
    ]


NAMES_OF_JPEG_FILES = ["a.jpg", "b.jpeg", "c.jpe", "d.jfif", "e.JFIF", "f.JPE", "g.JPG"]


def test_jpeg_files_are_listed_by_all_their_suffixes(tmp_path: Path) -> None:
    for name in NAMES_OF_JPEG_FILES:
        (tmp_path / name).write_bytes(jpeg(8, 8))
    (tmp_path / "h.txt").write_text("no image")
    for suffixes in ([], [JPEG_SUFFIXES]):
        assert [source.name.name for source in find_images([tmp_path], *suffixes)] == NAMES_OF_JPEG_FILES
    assert [image.path.name for image in labelled_images(tmp_path, "self")] == NAMES_OF_JPEG_FILES
    assert len(load_photographs(tmp_path, mode="L")) == len(NAMES_OF_JPEG_FILES)
    for verb in (["inspect", tmp_path], ["encode", tmp_path, "-o", tmp_path / "out"]):
        assert len(run_json(*verb)["files"]) == len(NAMES_OF_JPEG_FILES)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no images in this folder"):
        find_images([tmp_path])


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["in/b.PNG"], None, ["in/b.jpg"]),
        (["in/sub/a.jpg"], None, ["in/sub/a.opt.jpg"]),
        (["in/b.PNG"], "out.jpg", ["out.jpg"]),
        (["in/b.PNG"], "more", ["more/b.jpg"]),
        (["in"], "out", ["out/b.jpg", "out/sub/a.jpg"]),
        (["in/b.PNG", "more/a.png"], "out", ["out/b.jpg", "out/a.jpg"]),
    ],
)
def test_places(tree: Path, inputs: list[str], output: str | None, expected: list[str]) -> None:
    assert outputs(tree, inputs, output) == expected


def test_two_results_need_two_names(tree: Path) -> None:
    (tree / "in/b.bmp").write_bytes(b"x")
    with pytest.raises(InvalidInputError, match=r"b\.PNG and .*b\.bmp would both be written to .*b\.jpg"):
        outputs(tree, ["in/b.PNG", "in/b.bmp"], "out")


@pytest.mark.parametrize("output", ["in/sub/a.jpg", "more/../in/sub/a.jpg"])
def test_an_input_is_replaced_by_force_only(tree: Path, output: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is an input; expected .*--force"):
        outputs(tree, ["in/sub/a.jpg"], output)
    assert outputs(tree, ["in/sub/a.jpg"], output, force=True) == [output]


def test_an_output_never_replaces_another_input(tree: Path) -> None:
    """It might be replaced before it is read."""
    (tree / "in/b.jpg").write_bytes(b"another photograph")
    for force in (False, True):
        with pytest.raises(
            InvalidInputError, match=r"b\.PNG would be written to .*b\.jpg, which is an input, too; exp"
        ):
            outputs(tree, ["in/b.PNG", "in/b.jpg"], None, force=force)
        with pytest.raises(InvalidInputError, match=r"b\.PNG and .*b\.jpg would both be written to .*b\.jpg; expected"):
            outputs(tree, ["in/b.PNG", "in/b.jpg"], "in", force=force)


def test_a_link_to_an_input_is_the_input(tree: Path) -> None:
    (tree / "link.jpg").symlink_to(tree / "in/sub/a.jpg")
    with pytest.raises(InvalidInputError, match="is an input"):
        outputs(tree, ["in/sub/a.jpg"], "link.jpg")


def test_without_a_name_nothing_is_replaced(tree: Path) -> None:
    (tree / "in/b.jpg").write_bytes(b"someone's photograph")
    with pytest.raises(InvalidInputError, match=r"exists; expected .*-o.*--force"):
        outputs(tree, ["in/b.PNG"], None)
    assert outputs(tree, ["in/b.PNG"], None, force=True) == ["in/b.jpg"]


def test_write_whole_makes_folders_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/a.jpg"
    for content in (b"first", b"second"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_write_whole_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for refused in (write_whole, lambda path, _: check_writable(path)):
        with pytest.raises(InvalidInputError, match=r"cannot write .*a\.jpg: (File exists|Not a directory)"):
            refused(tmp_path / "file/a.jpg", b"content")


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    for refused in (write_whole, lambda path, _: check_writable(path)):
        with pytest.raises(InvalidInputError, match="cannot write"):
            refused(tmp_path, b"content")
    assert tmp_path.is_dir()


def test_a_device_is_written_to_not_replaced() -> None:
    write_whole(Path("/dev/null"), b"content")
    assert Path("/dev/null").is_char_device()


def write_in_pieces(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")

    def interrupted(part: Path, mode: str) -> None:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"ne")
        os.close(descriptor)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, b"new content")
    assert path.read_bytes() == b"old"
    with pytest.raises(KeyboardInterrupt):
        write_in_pieces(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_is_jpeg_looks_into_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\xff\xd8\xff\xe0rest")
    (tmp_path / "b.jpg").write_bytes(b"\x89PNG")
    assert is_jpeg(tmp_path / "a.png")
    assert not is_jpeg(tmp_path / "b.jpg")
    assert not is_jpeg(tmp_path / "none.jpg")


def test_unreadable_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"cannot read .*none\.jpg: No such file"):
        read_bytes(tmp_path / "none.jpg")


def test_order_of_results_is_that_of_the_paths() -> None:
    paths = [Path(str(index)) for index in range(6)]
    last_is_done = threading.Event()

    def work(index: int) -> Done:
        if index == 5:
            last_is_done.set()
        assert index or last_is_done.wait(10)  # the first path takes the longest
        return Done({"index": index})

    records, failures = process_files(paths, work, workers=2, label="")
    assert [record["index"] for record in records] == list(range(6))
    assert failures == []


def test_a_failure_does_not_stop_the_others() -> None:
    def work(index: int) -> Done:
        if index == 1:
            raise InvalidInputError("b: found this, expected that")
        return Done({"index": index})

    records, failures = process_files([Path("a"), Path("b"), Path("c")], work, workers=1, label="")
    assert [record["index"] for record in records] == [0, 2]
    assert failures == [Failure(Path("b"), "found this, expected that")]


def test_a_bug_is_not_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        process_files([Path("a")], lambda index: Done({"index": 1 // index}), workers=1, label="")


@pytest.mark.parametrize(
    ("total", "expected"),
    [(1, "Error: a: broken\n"), (2, "Error: 1 of 2 files failed:\n  a: broken\n")],
)
def test_failures_are_listed(total: int, expected: str) -> None:
    command = click.command()(lambda: report_failures([Failure(Path("a"), "broken")], total))
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.stderr == expected


def test_columns_are_aligned() -> None:
    text = columns(("name", "bytes"), [("a", "1,234"), ("long name", "5")])
    assert text.splitlines() == ["name       bytes", "---------  -----", "a          1,234", "long name      5"]
