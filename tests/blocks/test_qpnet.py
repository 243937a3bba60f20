"""QP-NET: inference has the results of torch; files are written, read and checked; training learns simple groups."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optcodec import InvalidInputError
from optcodec.blocks.qpnet import (
    MACS_PER_BLOCK,
    QpNet,
    load_qpnet,
    save_qpnet,
    shipped_qpnets,
    weight_shapes,
)
from optcodec.receivers.train_qpnet import QpNetRecipe, module_input, qpnet_module, scores, soft_labels, train_qpnet

torch = pytest.importorskip("torch")


def random_net(groups: int = 7, seed: int = 0) -> QpNet:
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape) for name, shape in weight_shapes(groups).items()
    }
    return QpNet(groups, weights, {"profile": "random"}, {"top1": 0.25})


NET = random_net()
SIDES = st.integers(1, 70)


def in_torch(net: QpNet, blocks: np.ndarray) -> np.ndarray:
    module = qpnet_module(net.groups)
    module.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in net.weights.items()})
    with torch.no_grad():
        return module(module_input(blocks)).softmax(1).numpy()


def naive_blocks(pixels: np.ndarray) -> np.ndarray:
    """All 32x32 blocks of an image, whose border is repeated: shape (rows * columns, 32, 32, 3)."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, 2)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % 32), (0, -width % 32), (0, 0)), "edge")
    rows, columns = padded.shape[0] // 32, padded.shape[1] // 32
    return padded.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70))
    | st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)),
    seed=st.integers(0, 2**16),
)
def test_kernel_is_torch_on_padded_blocks(shape, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    shares = NET.distributions(pixels)
    assert shares.dtype == np.float32
    assert shares.shape == (-(-shape[0] // 32), -(-shape[1] // 32), 7)
    np.testing.assert_allclose(shares.reshape(-1, 7), in_torch(NET, naive_blocks(pixels)), rtol=0, atol=1e-4)
    np.testing.assert_allclose(shares.sum(2), 1, rtol=1e-6)
    assert np.ptp(shares) > 0.01


@given(samples=hnp.arrays(np.uint8, (5, 32)))
@settings(max_examples=10)
def test_grey_is_equal_red_green_and_blue(samples):
    np.testing.assert_array_equal(NET.distributions(samples), NET.distributions(np.repeat(samples[..., None], 3, 2)))


def test_threads_and_layout_do_not_matter():
    pixels = np.random.default_rng(3).integers(0, 256, (32 * 21, 100, 3), np.uint8)
    expected = NET.distributions(pixels, threads=1)
    np.testing.assert_array_equal(NET.distributions(pixels, threads=5), expected)
    np.testing.assert_array_equal(NET.distributions(np.asfortranarray(pixels)), expected)
    np.testing.assert_array_equal(NET.distributions(pixels[::-1, ::-1][::-1, ::-1]), expected)


def test_extreme_logits_stay_finite():
    weights = dict(NET.weights)
    weights["dense.bias"] = np.array([3e4, -3e4, 0, 0, 0, 0, 0], np.float32)
    shares = QpNet(7, weights, {}, {}).distributions(np.zeros((32, 32), np.uint8))
    np.testing.assert_array_equal(shares[0, 0], [1, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("groups", [2, 64])
def test_fewest_and_most_groups(groups):
    net = random_net(groups, 5)
    pixels = np.random.default_rng(5).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_allclose(net.distributions(pixels)[0], in_torch(net, pixels[None]), rtol=0, atol=1e-4)


def test_operations_of_a_block():
    # 15 x 15 positions of 4 x 4 x 3 -> 16, 7 x 7 of 3 x 3 x 16 -> 16, 3 x 3 of 3 x 3 x 16 -> 32
    assert MACS_PER_BLOCK == 64 * 48 * 16 + 36 * 144 * 16 + 4 * 144 * 32


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(4, np.uint8),
        [[1, 2]],
    ],
)
def test_other_pixels_are_refused(pixels):
    with pytest.raises(InvalidInputError, match="expected uint8 pixels"):
        NET.distributions(pixels)


def test_a_net_is_checked():
    weights = dict(NET.weights)
    with pytest.raises(InvalidInputError, match=r"groups, got 65"):
        QpNet(65, weights, {}, {})
    with pytest.raises(InvalidInputError, match=r"dense.weight .* shape \(8, 32\), got \(7, 32\)"):
        QpNet(8, weights, {}, {})
    with pytest.raises(InvalidInputError, match="weights of a QP-NET are"):
        QpNet(7, {**weights, "fourth.bias": weights["first.bias"]}, {}, {})
    with pytest.raises(InvalidInputError, match=r"first.bias of a QP-NET is finite, got nan"):
        QpNet(7, {**weights, "first.bias": np.full(16, np.nan)}, {}, {})
    with pytest.raises(InvalidInputError, match="card of a QP-NET is a mapping of JSON"):
        QpNet(7, weights, {}, {"top1": float("nan")})
    assert not NET.weights["first.bias"].flags.writeable


def test_saved_nets_come_back(tmp_path):
    save_qpnet(NET, tmp_path / "net.npz")
    back = load_qpnet(tmp_path / "net.npz")
    assert (back.groups, back.provenance, back.card) == (7, {"profile": "random"}, {"top1": 0.25})
    for name, value in NET.weights.items():
        np.testing.assert_array_equal(back.weights[name], value)
    save_qpnet(back, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "net.npz").read_bytes()
    assert (tmp_path / "net.npz").stat().st_size < 50_000


def test_shipped_nets_load_and_others_are_named():
    for name in shipped_qpnets():
        assert load_qpnet(name).card.keys() >= {"top1", "within_one", "rank_correlation"}
    with pytest.raises(InvalidInputError, match=r"cannot read 'no such net': No such file"):
        load_qpnet("no such net")


def saved(tmp_path) -> dict[str, bytes]:
    """The members of the saved file of a QP-NET."""
    save_qpnet(NET, tmp_path / "net.npz")
    with zipfile.ZipFile(tmp_path / "net.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def promising(shape: tuple[int, ...]) -> bytes:
    """An .npy file whose header announces more data than there is."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return content.getvalue()


HEADER = {"format": "optcodec qp-net 1", "groups": 7, "provenance": {}, "card": {}}


def header(**changed) -> bytes:
    return npy(np.frombuffer(json.dumps(HEADER | changed).encode(), np.uint8))


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("header", header(format="other"), "expected a header of format"),
        ("header", header(groups=10**9), "2..64 groups, got 1000000000"),
        ("header", header(groups=9), r"dense.weight as float32 of shape \(9, 32\), found float32 of shape \(7, 32\)"),
        ("header", header(card=[1]), "card of a QP-NET is a mapping"),
        ("header", npy(np.frombuffer(b"{", np.uint8)), "expected a QP-NET's header of JSON, found Expecting"),
        ("header", npy(np.frombuffer(b"[" * 60000, np.uint8)), "header of JSON, found more than 100 levels"),
        ("header", None, "found damage: .*header.npy"),
        ("second.weight", None, "found damage: .*second.weight.npy"),
        ("second.weight", npy(np.zeros(3, np.float32)), r"shape \(16, 16, 3, 3\), found float32 of shape \(3,\)"),
        ("second.bias", npy(np.zeros(16, np.float64)), "second.bias as float32 .* found float64"),
        ("second.bias", npy(np.full(16, np.inf, np.float32)), "second.bias of a QP-NET is finite, got inf"),
        ("second.bias", promising((16,)), "second.bias as float32"),
        ("second.bias", promising((2**60,)), "second.bias as float32"),
        ("second.bias", b"\x93NUMPY\x01\x00", "found damage"),
        ("second.bias", bytes(10), "found damage"),
        ("second.bias", b"\x93NUMPY\1\0\x0a\0{'descr': (", "found damage: .*EOF in multi-line statement"),
        ("second.bias", bytes(10**7), "at most 65600 bytes, the file says 10000000"),
    ],
)
def test_damaged_members_are_refused(tmp_path, member, content, message):
    members = saved(tmp_path)
    members.pop(f"{member}.npy")
    if content is not None:
        members[f"{member}.npy"] = content
    with zipfile.ZipFile(tmp_path / "bad.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidInputError, match=message) as caught:
        load_qpnet(tmp_path / "bad.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(tmp_path, packing):
    """LZMA unpacks with a dictionary as large as its header says, up to 4 GB."""
    members = saved(tmp_path)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidInputError, match=f"stored or deflated, found the compression {packing}"):
        load_qpnet(tmp_path / "bad.npz")


def test_objects_are_never_unpickled(tmp_path):
    members = saved(tmp_path)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        for name, data in (members | {"first.bias.npy": npy(np.array([print], object))}).items():
            archive.writestr(name, data)
    with pytest.raises(InvalidInputError, match=r"first.bias as float32 .* found object"):
        load_qpnet(tmp_path / "bad.npz")


def test_damaged_files_are_refused(tmp_path):
    saved(tmp_path)
    intact = (tmp_path / "net.npz").read_bytes()
    flipped = bytearray(intact)
    flipped[len(intact) // 2] ^= 0xFF
    for content, message in (
        (b"", "found damage"),
        (intact[:-30], "found damage"),
        (bytes(flipped), "found damage: Bad CRC"),
        (intact + bytes(1 << 20), "at most 1048576 bytes, found more"),
    ):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InvalidInputError, match=message):
            load_qpnet(tmp_path / "bad.npz")


def test_soft_labels_by_hand():
    e1, e4 = np.exp(-1), np.exp(-4)
    expected = np.array([[1, e1, e4], [e1, 1, e1], [e4, e1, 1]])
    expected /= [[1 + e1 + e4], [1 + 2 * e1], [1 + e1 + e4]]
    np.testing.assert_allclose(soft_labels(3), expected, rtol=1e-6)


def test_scores_by_hand():
    shares = np.array([[0.8, 0.2, 0], [0, 0.9, 0.1], [0.1, 0, 0.9], [0.6, 0.4, 0]], np.float32)
    accuracies = scores(shares, np.array([0, 0, 2, 2]))
    assert accuracies["top1"] == 0.5
    assert accuracies["within_one"] == 0.75
    # The ranks of the expected groups 0.2, 1.1, 1.8, 0.4 are 1, 3, 4, 2, those of the true groups 1.5, 1.5, 3.5, 3.5.
    assert accuracies["rank_correlation"] == pytest.approx(2 / np.sqrt(20), rel=1e-12)
    assert scores(shares, np.array([1, 1, 1, 1]))["rank_correlation"] == 0


def noisy_blocks(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of noise with four amplitudes around any grey; the group is that of the amplitude."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, count)
    noise = rng.normal(0, 1, (count, 32, 32, 3)) * np.array([1, 5, 16, 48])[groups, None, None, None]
    return np.clip(rng.integers(60, 196, (count, 1, 1, 1)) + noise, 0, 255).astype(np.uint8), groups


def test_training_learns_groups_that_pixels_show():
    torch.set_num_threads(1)
    epochs = []
    blocks, validation = noisy_blocks(1280, 1), noisy_blocks(256, 2)
    recipe, origin = QpNetRecipe(epochs=8, seed=5, rate=4e-3, halve_every=3), {"profile": "noise"}
    net = train_qpnet(*blocks, 4, validation=validation, recipe=recipe, provenance=origin, progress=epochs.append)
    assert net.card["top1"] > 0.9
    assert net.card["within_one"] == 1
    assert net.card["rank_correlation"] > 0.95
    assert [epoch.number for epoch in epochs] == list(range(1, 9))
    shares = in_torch(net, validation[0])
    loss = -(soft_labels(4)[validation[1]] * np.log(shares)).sum(1).mean()
    assert loss == pytest.approx(min(epoch.validation_loss for epoch in epochs), rel=1e-4)
    assert net.provenance["recipe"] == {"epochs": 8, "seed": 5, "rate": 4e-3, "halve_every": 3, "batch": 64}
    assert (net.provenance["profile"], net.provenance["blocks"]) == ("noise", 1280)


def test_training_is_seeded_and_does_not_change_the_generator_of_torch():
    torch.set_num_threads(1)
    blocks, groups = noisy_blocks(128, 1)
    blocks.flags.writeable = groups.flags.writeable = False
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(9)
        nets.append(train_qpnet(blocks, groups, 4, validation=(blocks, groups), recipe=QpNetRecipe(1, seed)))
        drawn = torch.rand(())
        torch.manual_seed(9)
        assert drawn == torch.rand(())
    same = [all(np.array_equal(value, net.weights[name]) for name, value in nets[0].weights.items()) for net in nets]
    assert same == [True, True, False]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"blocks": np.zeros((4, 32, 32), np.uint8)}, r"training takes uint8 blocks"),
        ({"groups": np.zeros(3, int)}, "training takes 4 integers as groups"),
        ({"groups": np.zeros(4)}, "training takes 4 integers as groups, got float64"),
        ({"groups": np.array([0, 1, 2, 5])}, r"groups are 0..4, got 0..5 for training"),
        ({"validation": (np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int))}, "validation takes uint8 blocks"),
        ({"count": 1}, "2..64 groups, got 1"),
        ({"epochs": 0}, "at least 1"),
        ({"rate": 0.0}, "rate is above 0"),
        ({"rate": 1e30, "epochs": 2}, "training diverged"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(changed, message):
    blocks, groups = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8), np.arange(4)
    options = {"blocks": blocks, "groups": groups, "count": 5, "validation": (blocks, groups), "epochs": 1} | changed
    with pytest.raises(InvalidInputError, match=message):
        trained(**options)


def trained(*, blocks, groups, count, validation, **recipe):
    return train_qpnet(blocks, groups, count, validation=validation, recipe=QpNetRecipe(**recipe))


def test_inference_imports_neither_torch_nor_numba(tmp_path):
    save_qpnet(NET, tmp_path / "net.npz")
    NET.distributions(np.zeros((1, 1), np.uint8))  # compile the kernel first
    program = (
        "import sys, numpy as np; from optcodec.blocks.qpnet import load_qpnet\n"
        "print(load_qpnet(sys.argv[1]).distributions(np.zeros((33, 33, 3), np.uint8)).shape)\n"
        "print([name for name in ('torch', 'numba', 'onnxruntime') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "net.npz")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "(2, 2, 7)\n[]\n"
