"""Quality measures, compared with naive implementations, values by hand, and published programs."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec import InvalidInputError
from optcodec.metrics import ssim
from optcodec.rates.measures import blocking_effect, psnr_b_db
from restore.evaluation.measures import FILES, load_measures
from restore.evaluation.no_reference import Brisque, Niqe, halved, normalized


def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :210]
    waves = 128 + 50 * np.sin(x / 9 + np.cos(y / 13))
    return np.clip(np.rint(waves + rng.normal(0, 12, waves.shape)), 0, 255).astype(np.uint8)


def naive_blocking_effect(plane: np.ndarray) -> float:
    """Yim and Bovik (2011), eq. (9)-(14), pair by pair."""
    borders, others = [], []
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            if x + 1 < width:
                (borders if x % 8 == 7 else others).append((float(plane[y, x]) - float(plane[y, x + 1])) ** 2)
            if y + 1 < height:
                (borders if y % 8 == 7 else others).append((float(plane[y, x]) - float(plane[y + 1, x])) ** 2)
    if not borders or sum(borders) / len(borders) <= sum(others) / len(others):
        return 0.0
    eta = math.log2(8) / math.log2(min(height, width))
    return eta * (sum(borders) / len(borders) - sum(others) / len(others))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 26), st.integers(2, 26), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_blocking_effect_is_that_of_the_naive_twin(height: int, width: int, step: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 20, (height, width))
    blocks = step * (np.add.outer(np.arange(height) // 8, np.arange(width) // 8) % 2)
    plane = (100 + noise + blocks).astype(np.uint8)
    assert blocking_effect(plane) == pytest.approx(naive_blocking_effect(plane), rel=1e-12, abs=1e-12)


def test_psnr_b_of_two_flat_halves() -> None:
    # 16 of the 32 pairs across borders differ by 10, none elsewhere: D_B = 50, and eta = log2(8) / log2(16) = 3/4
    halves = np.full((16, 16), 100, np.uint8)
    halves[:, 8:] = 110
    assert psnr_b_db(halves, halves) == pytest.approx(10 * math.log10(255**2 / 37.5), abs=1e-12)
    # the same steps elsewhere are no blocking
    assert psnr_b_db(np.roll(halves, 3, 1), np.roll(halves, 3, 1)) == math.inf
    assert psnr_b_db(np.dstack([halves] * 3), np.dstack([halves] * 3)) == psnr_b_db(halves, halves)


def test_psnr_and_ssim_are_those_of_the_encoder() -> None:
    image = np.dstack([picture(), picture()[::-1], picture()[:, ::-1]])
    worse = (image // 16 * 16).astype(np.uint8)
    judges = load_measures(["psnr", "ssim"])
    assert judges["psnr"](np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)) == 0
    assert judges["ssim"](image, worse) == ssim(image, worse) < ssim(image, image) == 1


def test_halving_is_a_stretched_cubic_with_mirrored_borders() -> None:
    def cubic(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    line = np.random.default_rng(1).uniform(0, 255, 13)
    mirrored = np.concatenate([line[::-1], line, line[::-1]])
    expected = []
    for i in range(7):
        centre = 2 * i + 0.5
        taps = {n: cubic((n - centre) / 2) for n in range(2 * i - 3, 2 * i + 5)}
        expected.append(sum(w * mirrored[13 + n] for n, w in taps.items()) / sum(taps.values()))
    assert halved(np.repeat(line[None], 2, axis=0))[0] == pytest.approx(expected, rel=1e-12)


def test_normalization_is_that_of_the_naive_twin() -> None:
    image = np.random.default_rng(2).uniform(0, 255, (9, 10))
    window = np.array([[math.exp(-(i * i + j * j) / (2 * (7 / 6) ** 2)) for j in range(-3, 4)] for i in range(-3, 4)])
    window /= window.sum()
    for border, mode in (("constant", "constant"), ("nearest", "edge")):
        padded = np.pad(image, 3, mode=mode)
        patch = padded[4:11, 0:7]
        mean = (window * patch).sum()
        deviation = math.sqrt(abs((window * patch**2).sum() - mean**2))
        expected = (image[4, 0] - mean) / (deviation + 1)
        assert normalized(image, border=border)[4, 0] == pytest.approx(expected, rel=1e-9)


def test_features_and_distance_are_those_of_published_programs() -> None:
    # piq 0.8.0, first scale
    published = [
        2.768, 0.575024163, 0.943, -0.0945295042, 0.368199381, 0.221906225, 0.951, -0.0887136185, 0.360132975,
        0.223748913, 0.904, -0.0627060166, 0.360046357, 0.259044014, 0.913, -0.0688015934, 0.359533111, 0.24995653,
    ]  # fmt: skip
    assert Brisque.features(picture())[:18] == pytest.approx(published, rel=1e-8)
    # basicsr 1.4.2, for this made-up model of pristine images; it halves images in single precision
    assert Niqe(np.linspace(0, 1, 36), np.eye(36))(picture()) == pytest.approx(6.386850448, rel=1e-6)


def test_niqe_is_zero_for_the_images_that_its_model_is_of() -> None:
    features = Niqe.features(picture())
    assert features.shape == (4, 36)
    assert Niqe(features.mean(axis=0), np.cov(features, rowvar=False))(picture()) == 0
    with pytest.raises(InvalidInputError, match=r"two blocks of 96x96 .* \(100, 100\)"):
        Niqe(np.zeros(36), np.eye(36))(picture()[:100, :100])
    with pytest.raises(InvalidInputError, match="not flat"):
        Niqe(np.zeros(36), np.eye(36))(np.full((200, 200), 9, np.uint8))


def write_brisque(folder: Path, vectors: np.ndarray, weights: list[float]) -> None:
    lines = [
        f"{w} " + " ".join(f"{i + 1}:{v!r}" for i, v in enumerate(row.tolist()) if v)
        for w, row in zip(weights, vectors, strict=True)
    ]
    head = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv 2\nrho -5\nSV\n"
    (folder / "allmodel").write_text(head + "\n".join(lines) + "\n")
    (folder / "allrange").write_text("x\n-1 1\n" + "".join(f"{i + 1} -2 4\n" for i in range(36)))


def test_brisque_is_a_regression_on_scaled_features(tmp_path: Path) -> None:
    scaled = (Brisque.features(picture()) + 2) / 3 - 1  # -2..4 to -1..1
    away = scaled.copy()
    away[4] += 2.0
    write_brisque(tmp_path, np.stack([scaled, away]), [30.0, 7.0])
    judge = load_measures(["brisque"], tmp_path)["brisque"]
    expected = 30 + 7 * math.exp(-0.05 * 2.0**2) + 5
    assert judge(picture(), picture()) == pytest.approx(expected, rel=1e-12)
    rgb = np.dstack([picture()] * 3)
    assert judge(rgb, rgb) == pytest.approx(expected, rel=1e-12)  # of the luminance
    flat = np.full((40, 40), 7, np.uint8)
    with pytest.raises(InvalidInputError, match="flat"):
        judge(flat, flat)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_its_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} needs the file {FILES[name][0][0]} in {tmp_path}"):
        load_measures(["psnr", name], tmp_path)
    monkeypatch.delenv("OPTCODEC_DATA", raising=False)
    with pytest.raises(InvalidInputError, match="a folder that --weights names"):
        load_measures([name])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_what_is_no_model_of_niqe_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "niqe_pris_params.npz").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"niqe_pris_params\.npz is no model of NIQE"):
        load_measures(["niqe"], tmp_path)


def test_an_array_is_no_model_of_niqe(tmp_path: Path) -> None:
    with (tmp_path / "niqe_pris_params.npz").open("wb") as file:
        np.save(file, np.ones(36))
    with pytest.raises(InvalidInputError, match=r"niqe_pris_params\.npz is no model of NIQE"):
        load_measures(["niqe"], tmp_path)


def test_bad_files_and_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "niqe_pris_params.npz").write_bytes(b"no archive")
    (tmp_path / "squeezenet1_1.safetensors").write_bytes(b"no tensors")
    write_brisque(tmp_path, np.ones((1, 36)), [1.0])
    (tmp_path / "allmodel").write_text("svm_type c_svc\nkernel_type rbf\nSV\n")
    for name in ("niqe", "brisque", "lpips_squeeze"):
        with pytest.raises(InvalidInputError, match=FILES[name][0][0]):
            load_measures([name], tmp_path)
    with pytest.raises(InvalidInputError, match=r"measure is one of psnr, .*; got 'vmaf'"):
        load_measures(["vmaf"])
    with pytest.raises(InvalidInputError, match=r"one shape, got \(9, 9\) and \(9, 8\)"):
        psnr_b_db(np.zeros((9, 9), np.uint8), np.zeros((9, 8), np.uint8))
    with pytest.raises(InvalidInputError, match=r"PSNR-B needs at least 2 pixels on each side, got shape \(1, 16\)"):
        psnr_b_db(np.zeros((1, 16), np.uint8), np.eye(1, 16, 8).astype(np.uint8))
    with pytest.raises(InvalidInputError, match="expected uint8"):
        psnr_b_db(np.zeros((9, 9)), np.zeros((9, 9)))


def test_lpips_is_that_of_the_published_program() -> None:
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA is not set: it names the folder with weights/squeezenet1_1.safetensors")
    judge = load_measures(["lpips_squeeze"], Path(os.environ["OPTCODEC_DATA"]) / "weights")["lpips_squeeze"]
    image = np.dstack([picture(), picture()[::-1], picture()[:, ::-1]])
    worse = (image // 32 * 32).astype(np.uint8)
    assert judge(image, worse) == pytest.approx(0.0473767, rel=1e-4)  # torchmetrics 1.9.0, the same two files
    assert judge(image, image) == 0
    assert judge(image[..., 0], worse[..., 0]) == judge(np.dstack([image[..., 0]] * 3), np.dstack([worse[..., 0]] * 3))
    with pytest.raises(InvalidInputError, match="at least 64 pixels"):
        judge(image[:63], worse[:63])


def test_measures_of_rates_are_at_hand_here_too() -> None:
    pair = np.tile(np.arange(48, dtype=np.uint8), (32, 1)), np.tile(np.arange(1, 49, dtype=np.uint8), (32, 1))
    measures = load_measures(["psnr_y", "ssimulacra2"])
    assert measures["psnr_y"](*pair) == pytest.approx(20 * math.log10(255))
    assert 0 < measures["ssimulacra2"](*pair) < 100
