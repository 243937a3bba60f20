"""Data sets on a Ray cluster of two nodes, on this machine: the same files and rows as without it, whatever dies."""

from __future__ import annotations

import gc
import gzip
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from optcodec.jpeg.table_files import load_tables
from tests.batch import nodes
from tests.batch.helpers import check_rows, folder_of, hashes, last_rows, rows_of, small_disk, waited_for
from tests.batch.s3 import s3_bucket, s3_server
from tests.batch.test_shards import samples, write_tar
from tests.batch.test_urls import download, upload
from tests.cli_helpers import photograph, refusal, run, run_json, save
from tests.documents.pages import blocks_of
from tests.onnx_helpers import mean_network

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray

ROOT = Path(__file__).parents[2]
_WITH_S3 = find_spec("s3fs") is not None and find_spec("moto") is not None
_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head node and a second one, with one processor each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)  # where workers find the tests
        patch.setenv(nodes.FOLDER, str(tmp_path_factory.mktemp("meeting")))
        patch.setenv("RAY_raylet_start_wait_time_s", "120")  # on a machine with other work, it takes long
        if _WITH_S3:
            stack.enter_context(s3_server(patch))
        started = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
        stack.callback(started.shutdown)
        started.second = started.add_node(**_NODE)
        yield started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray leaves files open
        del started
        gc.collect()


def on(cluster: Any) -> list[object]:
    """The options that give the work to a cluster."""
    return ["--engine", "ray", "--address", cluster.address]


def timeless(text: str) -> str:
    """A report without the time that it took."""
    return re.sub(r", in [0-9.]+ s", "", text)


def mixed(folder: Path) -> Path:
    """Pictures, one that is damaged, JPEG files, and files that are no pictures."""
    folder_of(folder, 20)
    save(folder / "old.jpg", photograph(40, 56), quality=95)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("about the pictures")
    return folder


def test_a_cluster_does_the_same_as_one_machine(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files, rows, report and exit status; and a job of one goes on with what the other has done."""
    monkeypatch.chdir(tmp_path)  # relative paths are those of this process, wherever the nodes were started
    mixed(tmp_path / "in")
    common = ["encode", "in", "--other", "copy", "--psnr", "--verify"]
    results = {
        name: run(*common, "-o", name, "--manifest", f"{name}.jsonl", *options)
        for name, options in (("local", []), ("nodes", on(cluster)))
    }
    assert hashes(Path("nodes")) == hashes(Path("local"))
    rows = {name: last_rows(tmp_path / f"{name}.jsonl") for name in results}
    for name, each in rows.items():
        assert len(rows_of(tmp_path / f"{name}.jsonl")) == len(each) == 23
        for row in each.values():
            row["output"] = row["output"].removeprefix(f"{name}/")
            row["seconds"] = None
    assert rows["nodes"] == rows["local"]
    assert results["nodes"].exit_code == results["local"].exit_code == 1
    assert timeless(results["nodes"].stdout) == timeless(results["local"].stdout.replace("local/", "nodes/"))
    assert results["nodes"].stderr == results["local"].stderr.replace("local/", "nodes/")
    Path("in/bad.png").unlink()
    (Path("nodes") / "003.jpg").unlink()
    goes_on = [*common, "-o", "nodes", "--manifest", "nodes.jsonl", "--resume"]
    assert run_json(*goes_on, *on(cluster))["resumed"] == 20
    assert hashes(Path("nodes")) == hashes(Path("local"))
    assert run_json(*goes_on)["resumed"] == 21


def test_tar_files_are_done_as_a_whole(cluster: Any, tmp_path: Path) -> None:
    for number in range(4):
        write_tar(tmp_path / f"in/{number}.tar", samples(3 + number))
    (tmp_path / "in/bad.tar").write_bytes(b"no tar file" * 100)
    reports = []
    for name, options in (("local", []), ("nodes", on(cluster))):
        result = run(
            "encode", tmp_path / "in", "-o", tmp_path / name, "--manifest", tmp_path / f"{name}.jsonl", *options
        )
        assert result.exit_code == 1
        reports.append(timeless(result.output.replace(name, "out")))
    assert hashes(tmp_path / "nodes") == hashes(tmp_path / "local")
    assert reports[0] == reports[1]
    assert len(check_rows(tmp_path / "nodes.jsonl")) == len(check_rows(tmp_path / "local.jsonl"))
    goes_on = ["encode", tmp_path / "in", "-o", tmp_path / "nodes", "--manifest", tmp_path / "nodes.jsonl", "--resume"]
    (tmp_path / "in/bad.tar").unlink()
    assert run_json(*goes_on, *on(cluster))["resumed"] == len(run_json(*goes_on)["files"])


@pytest.mark.parametrize(
    "target", [["-q", 60], ["--profile", "mobilenet_v2", "--bpp", 4]], ids=["from histograms", "from files"]
)
def test_shared_tables_are_those_of_one_machine(cluster: Any, tmp_path: Path, target: list[object]) -> None:
    folder = mixed(tmp_path / "in")
    save(folder / "grey.png", photograph(40, 40)[..., 0])
    for name, options in (("local", []), ("nodes", on(cluster))):
        run("encode", folder, "-o", tmp_path / name, "--shared-tables", *target, *options)
    compressed = tmp_path / "0.tgz"
    compressed.write_bytes(gzip.compress(write_tar(tmp_path / "0.tar", samples(2)).read_bytes()))
    line = refusal("encode", compressed, "-o", tmp_path / "no", "--shared-tables", *target, *on(cluster))
    assert f"{compressed} is compressed, and would be read many times by each machine; expected tar files as" in line
    assert load_tables(tmp_path / "nodes/001.jpg") == load_tables(tmp_path / "local/001.jpg")
    assert hashes(tmp_path / "nodes") == hashes(tmp_path / "local")


@pytest.mark.skipif(not _WITH_S3, reason="needs s3fs and moto")
def test_a_bucket(cluster: Any, tmp_path: Path, expected: dict[str, str]) -> None:
    """From S3 to S3, where workers read and write by themselves; a job goes on where a file is gone."""
    with s3_bucket() as bucket:
        upload(bucket, tmp_path / "in", "bucket/in")
        arguments = [
            "encode",
            "s3://bucket/in",
            "-o",
            "s3://bucket/out",
            "--manifest",
            tmp_path / "m.jsonl",
            "--resume",
        ]
        assert len(run_json(*arguments, *on(cluster))["files"]) == 24
        bucket.rm("bucket/out/003.jpg")
        assert run_json(*arguments, *on(cluster))["resumed"] == 23
        bucket.invalidate_cache()
        assert download(bucket, "bucket/out", tmp_path / "got") == expected


@pytest.mark.skipif(not _WITH_S3, reason="needs s3fs and moto")
def test_the_example_of_the_documents(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, but for the address, with pictures in the bucket."""
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in blocks_of("docs/datasets.md") if "--engine ray" in block.text]
    (example,) = [block for block in blocks if block.text.startswith("optcodec encode")]
    (line,) = example.lines
    program, *arguments, address = shlex.split(line)
    assert (program, arguments[-1]) == ("optcodec", "--address")
    assert re.fullmatch(r"[\d.]+:\d+", address)
    folder_of(tmp_path / "in", 2)
    with s3_bucket() as bucket:
        upload(bucket, tmp_path / "in", "bucket/photos")
        assert len(run_json(*arguments, cluster.address)["files"]) == 2
        bucket.invalidate_cache()
        assert len(download(bucket, "bucket/coded", tmp_path / "got")) == 2


def test_networks_are_loaded_on_the_machines(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of ONNX Runtime cannot be sent; its file is found in the folder of the process that began the job."""
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", 3)
    mean_network(tmp_path / "net.onnx", (1, 3, "height", "width"))
    figures = {}
    for name, options in (("local", []), ("nodes", on(cluster))):
        common = ["encode", "in", "-o", name, "--network", "net.onnx", "--max-kl", 0.01, "--kl", "net.onnx"]
        figures[name] = [file["kl"] for file in run_json(*common, *options)["files"]]
    assert hashes(Path("nodes")) == hashes(Path("local"))
    assert figures["nodes"] == figures["local"]
    assert all(figures["local"])
    assert refusal("encode", "in", "-o", "none", "--network", "none.onnx", *on(cluster)) == refusal(
        "encode", "in", "-o", "none", "--network", "none.onnx"
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has to happen."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("nothing for a minute")


def runs(process: int) -> bool:
    """Whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_node_that_is_killed_costs_only_time(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, str]
) -> None:
    """The second node is lost while both have begun pictures, after some were done: all are there, none twice."""
    monkeypatch.setattr("optcodec.cli.engine._job", nodes.waiting)
    begun, gate, manifest = nodes.meeting_place() / "begun", nodes.meeting_place() / "gate", tmp_path / "m.jsonl"
    gate.touch()
    rows_then: list[int] = []

    def workers() -> dict[str, list[str]]:
        """The processes that have begun pictures, each as often as it has, by their node."""
        lines = begun.read_text().splitlines() if begun.exists() else []
        nodes_of = [line.split() for line in lines]
        return {node: [process for name, process in nodes_of if name == node] for node, _ in nodes_of}

    def kill() -> None:
        try:
            until(lambda: len(workers()) == 2 and all(len(each) >= 5 for each in workers().values()))
            processes = {int(process) for process in workers()[cluster.second.node_id]}
            rows_then.append(len(rows_of(manifest)))
            cluster.remove_node(cluster.second, allow_graceful=False)
            until(lambda: not any(map(runs, processes)))
        finally:
            gate.unlink()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = run_json("encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, *on(cluster))
    finally:
        killer.join()
        cluster.second = cluster.add_node(**_NODE)
    assert 0 < rows_then[0] < 24
    assert len(begun.read_text().splitlines()) > 24  # what the node had in hand was begun again
    assert (len(report["files"]), report["failures"]) == (24, [])
    assert hashes(tmp_path / "out") == expected
    assert len(rows_of(manifest)) == len(check_rows(manifest)) == 24


def test_a_picture_that_ends_its_worker_is_a_row(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, str]
) -> None:
    """A process that dies is replaced; what ends each one is found, and its neighbours are coded."""
    monkeypatch.setattr("optcodec.cli.engine._job", nodes.deadly)
    monkeypatch.setattr("optcodec.batch.cluster._RETRIES", 1)
    save(tmp_path / "in/once.png", photograph(20, 30)[..., 0])
    save(tmp_path / "in/000.png", photograph(20, 31)[..., 0])
    manifest = tmp_path / "m.jsonl"
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, *on(cluster))
    reason = "its worker died 2 times: the process or its machine ended"
    ours = result.stderr[result.stderr.rindex("Error: ") :].splitlines()  # behind what Ray says
    assert ours == ["Error: 1 of 26 files failed:", f"  {tmp_path / 'in/000.png'}: {reason}"]
    coded = hashes(tmp_path / "out")
    assert coded.pop("once.jpg")
    assert coded == expected
    rows = check_rows(manifest)
    assert len(rows_of(manifest)) == len(rows) == 26
    assert [row["error"] for row in rows.values() if row["state"] == "failed"] == [reason]


def test_a_small_disk_ends_the_job(cluster: Any, tmp_path: Path, expected: dict[str, str]) -> None:
    small = tmp_path / "small"
    with small_disk(small, "48k") as remount:
        arguments = ["encode", tmp_path / "in", "-o", small / "out", "--manifest", tmp_path / "m.jsonl", "--resume"]
        result = run(*arguments, *on(cluster))
        done = hashes(small / "out")
        assert result.exit_code == 1
        assert f"Error: the disk is full: {len(done)} of 24 files are done" in result.stderr
        assert 0 < len(done) < 24
        assert done.items() <= expected.items()
        remount("size=1m")
        assert run_json(*arguments, *on(cluster))["resumed"] == len(done)
        assert hashes(small / "out") == expected
        assert len(check_rows(tmp_path / "m.jsonl")) == 24


def test_a_signal_prints_what_is_done_and_the_job_goes_on(
    cluster: Any, tmp_path: Path, expected: dict[str, str]
) -> None:
    """The command ends as without a cluster, and no worker writes any more after it."""
    gate, manifest = nodes.meeting_place() / "gate", tmp_path / "m.jsonl"
    gate.touch()
    arguments = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, "--resume", *on(cluster)]
    program = (
        "import sys\nimport optcodec.cli.engine\nfrom optcodec.cli import main\nfrom tests.batch import nodes\n"
        "optcodec.cli.engine._job = nodes.waiting\nmain(sys.argv[1:], prog_name='optcodec')\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        waited_for(manifest, 3, child)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=60)
    finally:
        child.kill()
        gate.unlink()
    done = len(rows_of(manifest))
    assert (child.returncode, "Traceback" in errors) == (143, False), errors
    assert f"total of {done} files" in output
    assert f"stopped: {done} files done so far\n" in errors
    assert hashes(tmp_path / "out").items() <= expected.items()
    assert run_json(*arguments)["resumed"] == done
    assert hashes(tmp_path / "out") == expected


NETWORK = f"{nodes.__name__}:network"


def test_a_profile_is_that_of_one_machine(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes, warnings and exit status, although a worker dies."""
    pytest.importorskip("torchvision")
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", 24)
    (tmp_path / "in/003.png").write_bytes((tmp_path / "in/003.png").read_bytes()[:200])
    common = ["sensitivity", NETWORK, "in", "--labels", "self", "--batch", 2, "--quality", 40, "--subsampling", "4:2:0"]
    local = run(*common, "-o", "local.json")
    deadly = nodes.meeting_place() / "deadly"
    deadly.touch()
    far = run(*common, "-o", "nodes.json", *on(cluster))
    assert not deadly.exists()
    assert far.exit_code == local.exit_code == 1, far.stderr
    assert Path("nodes.json").read_bytes() == Path("local.json").read_bytes()
    assert far.stdout == local.stdout.replace("local", "nodes")
    assert far.stderr[far.stderr.rindex("Error: ") :] == local.stderr  # behind what Ray says of the worker
    assert local.stderr.startswith("Error: 1 of 24 files failed:\n  in/003.png: ")


def test_what_a_cluster_cannot_measure_is_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")
    folder = folder_of(tmp_path / "in", 2)
    common = ["sensitivity", NETWORK, folder, "-o", tmp_path / "p.json", "--labels", "self"]
    line = refusal(*common, "--gpus", 1, *on(cluster))
    assert line.startswith("Error: a worker needs 1 processor and 1 GPUs; the Ray cluster has ")
    assert refusal(*common, "--gpus", 1) == "Error: --gpus is about a Ray cluster; expected --engine ray"
    monkeypatch.setattr("optcodec.batch.parts.__version__", "0.0")
    line = refusal(*common, *on(cluster))
    assert "the machine that started the job 0.0; expected the same on all machines" in line
    assert not (tmp_path / "p.json").exists()


def test_what_a_cluster_cannot_do_is_refused(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, options = folder_of(tmp_path / "in", 2), on(cluster)
    pytest.importorskip("fsspec")
    line = refusal("encode", folder, "-o", "memory://out", *options)  # which each process has for itself
    assert "does not see the output folder memory://out; expected a URL, or a folder that all machines share" in line
    save(tmp_path / "jpeg/a.jpg", photograph(8, 8))
    line = refusal("encode", tmp_path / "jpeg", "-o", tmp_path / "jpeg", "--force", *options)
    assert line.endswith("a.jpg is an input, which --engine ray does not replace; expected another output")
    line = refusal("encode", tmp_path / "jpeg/a.jpg", "-o", tmp_path / "b.jpg", *options)
    assert line == "Error: --engine ray writes to a folder or a URL; expected -o with one"
    line = refusal("encode", folder, "-o", tmp_path / "out", "--gpus", 1, *options)
    expected = r"Error: a worker needs 1 processor and 1 GPUs; the Ray cluster has [23] processors and 0 GPUs"
    assert re.fullmatch(expected, line), line  # 3 while Ray still counts a node that an earlier test killed
    monkeypatch.setattr("optcodec.batch.parts.__version__", "0.0")
    line = refusal("encode", folder, "-o", tmp_path / "out", *options)
    assert "the machine that started the job 0.0; expected the same on all machines" in line
    assert not list(tmp_path.glob("out/*"))


def test_addresses_where_nobody_is(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 2)
    line = refusal("encode", folder, "-o", tmp_path / "out", "--engine", "ray", "--address", "127.0.0.1:1")
    assert line == "Error: cannot connect to Ray at 127.0.0.1:1: Connection refused"
    line = refusal("encode", folder, "-o", tmp_path / "out", "--engine", "ray", "--address", "somewhere")
    assert line == "Error: expected the address of a Ray cluster, such as 10.0.0.1:6379, got 'somewhere'"
    line = refusal("encode", folder, "-o", tmp_path / "out", "--address", "127.0.0.1:1")
    assert line == "Error: --address is about a Ray cluster; expected --engine ray"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [ImportError("No module named 'grpc'"), ConnectionError("no answer\nin 30 s")])
def test_a_cluster_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("ray.init", fails)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"ray://127.0.0.1:{listening.getsockname()[1]}"
        options = ["-o", tmp_path / "out", "--engine", "ray", "--address", address]
        line = refusal("encode", folder_of(tmp_path / "in", 2), *options)
    assert line == f"Error: cannot connect to Ray at {address}: {str(error).splitlines()[0]}"


def test_gpus_are_given_to_workers(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three machines, only the one with a GPU works; Ray counts it as one, whether there is a device or not.

    This is the last test with the cluster, which has a machine more from here on.
    """
    pytest.importorskip("torchvision")
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", 6)
    node = cluster.add_node(**_NODE, num_gpus=1)
    common = ["--labels", "self", "--batch", 2, "--quality", 40, "--subsampling", "4:2:0"]
    local = run("sensitivity", NETWORK, "in", *common, "-o", "local.json")
    far = run(
        "sensitivity", f"{nodes.__name__}:network_on_gpu", "in", *common, "-o", "far.json", "--gpus", 1, *on(cluster)
    )
    assert local.exit_code == far.exit_code == 0, far.stderr
    given = set((nodes.meeting_place() / "gpus").read_text().splitlines())
    assert given == {f"{node.node_id} 0"}
    assert _weights("far.json") == _weights("local.json")


def _weights(path: str) -> Any:
    return json.loads(Path(path).read_text())["weights"]
