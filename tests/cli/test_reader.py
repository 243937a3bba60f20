"""`optcodec encode --reader`: files for receivers, and for readers of the user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("onnxruntime")

from optcodec import InvalidInputError, MaxBytes, Readers, encode, load_utility_profile
from optcodec.console.senders import sender_of
from optcodec.loop.named import load_reader, registered_readers
from restore.readers import TaskReader, denoise25, sr4
from tests.cli_helpers import photograph, refusal, run, run_json, save

SOURCE = """
import numpy as np

def left_half():
    def reader(original):
        def reading(decoded):
            difference = decoded.astype(np.float32) - original
            difference[:, original.shape[1] // 2 :] = 0
            return float((difference**2).mean()), 2 * difference / difference.size
        return reading
    return reader

def nothing():
    return None
"""
PHOTO = photograph(48, 64)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readers_of_a_test.py").write_text(SOURCE)
    return save(tmp_path / "in.png", PHOTO)


def test_files_for_a_reader(picture: Path) -> None:
    out = picture.with_name("out.jpg")
    result = run("encode", picture, "-o", out, "--max-bytes", 1200, "--reader", "denoise25", "--rounds", 2)
    assert "made for denoise25, loss" in result.stdout
    assert "others may see these files worse" in result.stdout
    file = encode(PHOTO, target=MaxBytes(1200), reader=denoise25(), tune="psnr", rounds=2)
    assert out.read_bytes() == file.data
    record = run_json(
        "encode", picture, "-o", out, "--max-bytes", 1200, "--reader", "denoise25", "--rounds", 2, "--force"
    )
    assert (record["readers"], record["networks"], record["effort"], record["tune"]) == (["denoise25"], [], 4, "psnr")
    assert record["files"][0]["losses"] == pytest.approx(file.losses)


@pytest.mark.parametrize("option", [("--tune", "receiver:denoise25"), ("--blocks", "qpnet:denoise25")])
def test_effort_4_for_a_receiver_has_it_in_the_loop(picture: Path, option: tuple[str, str]) -> None:
    size = "--max-bytes", 1200, "--rounds", 1, *option
    outs = [picture.with_name(f"{number}.jpg") for number in range(3)]
    record = run_json("encode", picture, "-o", outs[0], *size, "--effort", 4)
    assert record["readers"] == ["denoise25"]
    run("encode", picture, "-o", outs[1], *size, "--reader", "denoise25")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    run("encode", picture, "-o", outs[2], *size[:2], *option)  # effort 3
    assert outs[2].read_bytes() != outs[0].read_bytes()


def test_a_reader_of_the_users_own(picture: Path) -> None:
    out, name = picture.with_name("out.jpg"), "readers_of_a_test:left_half"
    run("encode", picture, "-o", out, "--max-bytes", 1000, "--reader", name, "--rounds", 2)
    assert out.read_bytes() == encode(PHOTO, target=MaxBytes(1000), reader=load_reader(name), rounds=2).data


def test_a_clean_picture_is_what_should_be_restored(picture: Path) -> None:
    out, large = picture.with_name("out.jpg"), photograph(192, 256)
    save(picture.with_name("large.png"), large)
    size = "--max-bytes", 1200, "--rounds", 1
    run("encode", picture, "-o", out, *size, "--reader", "sr4", "--against", "large.png")
    reader = sr4().against(large)
    assert out.read_bytes() == encode(PHOTO, target=MaxBytes(1200), reader=reader, rounds=1).data
    wrong = refusal("encode", picture, "-o", out, *size, "--reader", "sr4", "--against", picture, "--force")
    assert "a clean picture has 256x192 pixels in RGB, 4 times the sides of the coded one; got (48, 64, 3)" in wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--reader", "sr5"),
            "no reader 'sr5'; expected deblock, deblock-hint, deblur1.5, denoise25, sr4, package.module:factory",
        ),
        (("--reader", "readers_of_a_test:nothing"), "to return a reader, a function; got NoneType"),
        (("--reader", "readers_of_a_test:missing"), "expected a reader as package.module:factory"),
        (
            ("--reader", "denoise25", "--effort", "3"),
            "--network or --reader has an effect with a reader in the loop only",
        ),
        (
            ("--reader", "deblock", "--against", "in.png"),
            "--against is for receivers of another picture than the input",
        ),
        (("--against", "in.png"), "--against needs --reader with a receiver"),
        (("--fidelity", "0.5"), "--fidelity needs --network or --reader"),
        (("--effort", "4"), "effort 4 needs --network or --reader, got none"),
        (("--reader", "denoise25@missing.safetensors"), "no network 'missing.safetensors'"),
    ],
)
def test_what_is_refused(picture: Path, options: tuple[str, ...], message: str) -> None:
    assert message in refusal("encode", picture, "-o", picture.with_name("out.jpg"), "--max-bytes", 1200, *options)


def test_a_clean_picture_is_for_one_input(picture: Path) -> None:
    save(picture.with_name("other.png"), PHOTO)
    options = "--max-bytes", 1200, "--reader", "sr4", "--against", picture
    line = refusal("encode", picture, picture.with_name("other.png"), "-o", picture.with_name("out"), *options)
    assert "--against is the clean picture of a single input, got 2" in line


@pytest.mark.parametrize("name", ["reader=denoise25", "effort=4,tune=receiver:denoise25"])
def test_senders_have_readers(name: str) -> None:
    sender = sender_of(f"optcodec:{name},rounds=1,fidelity=0.3", "4:2:0")
    tune = load_utility_profile("denoise25") if "tune" in name else "psnr"
    file = encode(PHOTO, target=MaxBytes(1200), reader=Readers([denoise25()], fidelity=0.3), tune=tune, rounds=1)
    assert sender.encode(PHOTO, "4:2:0", MaxBytes(1200)) == file.data


def test_packages_register_their_readers() -> None:
    assert set(registered_readers()) >= {"deblock", "deblur1.5", "denoise25", "sr4"}
    reader = load_reader("denoise25@denoise25-64")
    assert isinstance(reader, TaskReader)
    assert reader.task.receiver == "denoise25-64"
    loss, gradient = reader(PHOTO)(PHOTO // 2)
    assert loss > 0
    assert np.any(gradient)
    with pytest.raises(InvalidInputError, match="no reader 'nobody'"):
        load_reader("nobody@here")
