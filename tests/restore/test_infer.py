"""Restoring images: tiles, inputs of the networks, projection, and bad models."""

from __future__ import annotations

import io
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
import restore
from optcodec import InvalidInputError, MalformedJpegError, OptcodecError
from restore import load_model, restore_image, shipped_models
from restore.runtime.cells import project
from restore.runtime.change import is_constant
from restore.runtime.decode import receive
from restore.runtime.image import decode_image, to_rgb
from restore.runtime.infer import restored_image, restored_strips
from restore.runtime.models import Model, Network
from restore.runtime.settings import Settings
from tests import receiver_helpers as tiny
from tests.receiver_helpers import jpeg, save_model


def loaded(folder: Path, luminance: bytes, chrominance: bytes | None = None, **options: int) -> Model:
    return load_model(save_model(folder, luminance, chrominance, **options))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (57, 1), (16, 16), (150, 203), (72, 88)])
def test_without_a_network_the_image_is_what_a_decoder_gives(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    data = jpeg(*size, mode, quality=30)
    restored = restore_image(data, model=loaded(tmp_path, tiny.identity()), project=False)
    assert restored.shape == (size if mode == "L" else (*size, 3))
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(restored, decode_image(receive(data)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_of_every_tiny_size_are_restored(tmp_path: Path, mode: str) -> None:
    """With a network that changes nothing, the result is that of a decoder; that of a shipped model is close to it."""
    unchanged, shipped = loaded(tmp_path, tiny.identity()), load_model("tiny", threads=1)
    for size in itertools.product(range(1, 9), repeat=2):
        received = receive(jpeg(*size, mode, quality=90))
        decoded = decode_image(received)
        np.testing.assert_array_equal(restored_image(received, unchanged, Settings(project=False)), decoded)
        restored = restored_image(received, shipped)
        assert restored.shape == decoded.shape
        assert np.abs(restored.astype(int) - decoded).mean() < 8


@pytest.mark.parametrize("size", [(1, 1), (17, 70), (200, 333), (72, 88)])
@pytest.mark.parametrize("options", [{"mode": "L"}, {"subsampling": "4:2:0"}, {"subsampling": "4:2:2"}])
def test_the_result_does_not_depend_on_the_tiles(
    tmp_path: Path, size: tuple[int, int], options: dict[str, str]
) -> None:
    data = jpeg(*size, **options, quality=20)
    model = loaded(tmp_path, tiny.box(), tiny.box_chrominance(), border=1)
    whole = restore_image(data, model=model, tile=512)
    for tile in (16, 48, 128):
        np.testing.assert_array_equal(restore_image(data, model=model, tile=tile), whole)


def test_without_a_border_tiles_would_be_visible(tmp_path: Path) -> None:
    data = jpeg(64, 64, "L", quality=20)
    model = loaded(tmp_path, tiny.box(), border=0)
    tiled, whole = (restore_image(data, model=model, project=False, tile=tile) for tile in (16, 64))
    different = tiled != whole
    seams = np.isin(np.arange(64), [15, 16, 31, 32, 47, 48])
    assert different[seams].mean() > 0.9
    assert different[:, seams].mean() > 0.9
    assert not different[np.ix_(~seams, ~seams)].any()


def test_inputs_of_networks_are_on_the_grid_and_limited_by_tile_and_border(tmp_path: Path) -> None:
    """Memory does not depend on the size of the image, as the input of a network is never larger than this."""
    model = loaded(tmp_path, tiny.identity(), tiny.box_chrominance(), border=20)
    input_shapes: list[tuple[int, ...]] = []

    def spy(network: Network) -> Network:
        class Session:
            get_inputs = staticmethod(network.session.get_inputs)

            @staticmethod
            def run(names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
                input_shapes.append(feed["image"].shape[1:])
                result: list[np.ndarray] = network.session.run(names, feed)
                return result

        return Network(Session(), network.name)

    assert model.chrominance
    spied = Model("spied", spy(model.luminance), spy(model.chrominance), model.border)
    strips = restored_strips(receive(jpeg(150, 203)), spied, Settings(tile=64))
    first = next(strips)
    assert first.shape == (64, 203, 3)
    assert len(input_shapes) == 2 * 4  # networks run only when strips are requested
    assert sum(map(len, strips)) == 150 - 64
    assert all(side % 8 == 0 and side <= 64 + 2 * 32 for shape in input_shapes for side in shape[1:])
    assert all(side % 16 == 0 for planes, *sides in input_shapes if planes == 3 for side in sides)


def test_strips_of_very_wide_images_are_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore.runtime.infer._STRIP_NBYTES", 20_000)
    model = loaded(tmp_path, tiny.box(), tiny.box_chrominance())
    data = jpeg(100, 150)
    strips = list(restored_strips(receive(data), model))
    assert [len(strip) for strip in strips] == [32, 32, 32, 4]
    monkeypatch.undo()
    np.testing.assert_array_equal(np.concatenate(strips), restore_image(data, model=model))


def test_threads_change_nothing(tmp_path: Path) -> None:
    index = save_model(tmp_path, tiny.box(), tiny.box_chrominance())
    data = jpeg(130, 90)
    one, two = (restore_image(data, model=index, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_model_takes_a_thread_for_each_processor_unless_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore.runtime.models.processor_count", lambda: 3)
    index = save_model(tmp_path, tiny.box(), tiny.box_chrominance())
    for threads, expected in ((None, 3), (2, 2)):
        model = load_model(index, threads=threads)
        for network in (model.luminance, model.chrominance):
            assert network is not None
            assert network.session.get_session_options().intra_op_num_threads == expected


@pytest.mark.parametrize("takes", ["condition", "table"])
def test_networks_get_the_quantization_tables(tmp_path: Path, takes: str) -> None:
    """Luminance gets the steps of luminance; chrominance those of both, and Y as it was decoded."""
    data = jpeg(40, 40, quality=50)  # DC steps of 16 and 17
    received = receive(data)
    region = (0, 40), (0, 40)
    model = loaded(tmp_path, tiny.brighter_by_table(1, takes), tiny.brighter_by_table(3, takes))
    expected = to_rgb(
        np.clip(received.luminance(*region) + 16, 0, 255), np.clip(received.chrominance(*region) + 17, 0, 255)
    )
    np.testing.assert_allclose(restore_image(data, model=model, project=False), expected, atol=1)
    assert np.mean(restore_image(data, model=model, project=False) == expected) > 0.99


def test_luminance_is_projected_if_project_is_set(tmp_path: Path) -> None:
    data = jpeg(48, 64, "L", quality=20)
    received = receive(data)
    region = (0, 48), (0, 64)
    model = loaded(tmp_path, tiny.brighter_by_table(1))
    step = received.steps(0)[0, 0]
    brighter = received.luminance(*region) + np.float32(step)
    projected = project(brighter, received.blocks(0, *region), received.steps(0), received.interval_growth(0))
    # DC is eight times the mean; it may move by half a step, and further away from zero by the growth of its interval
    indices, growth = received.blocks(0, *region)[..., 0, 0], received.interval_growth(0)[0, 0]
    moved = (0.5 + growth * (indices >= 0)).mean() * step / 8
    assert 0 < growth < 0.5
    assert (projected - received.luminance(*region)).mean() == pytest.approx(moved, abs=0.05)
    np.testing.assert_allclose(restore_image(data, model=model), np.clip(projected, 0, 255), atol=0.51)
    plain = restore_image(data, model=model, project=False)
    np.testing.assert_allclose(plain, np.clip(brighter, 0, 255), atol=0.51)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_chrominance_is_projected_where_the_file_has_its_coefficients(tmp_path: Path, subsampling: str) -> None:
    data = jpeg(48, 64, quality=20, subsampling=subsampling)
    received, region = receive(data), ((0, 48), (0, 64))
    decoded = received.chrominance(*region)
    model = loaded(tmp_path, tiny.identity(), tiny.brighter_by_table(3))
    brighter = decoded + np.float32(received.steps(1)[0, 0])
    expected = np.clip(brighter, 0, 255)
    if subsampling == "4:4:4":
        blocks = [received.blocks(index, *region) for index in (1, 2)]
        steps, growth = received.steps(1), received.interval_growth(1)
        expected = np.stack([project(plane, part, steps, growth) for plane, part in zip(brighter, blocks, strict=True)])
        assert (brighter - expected).mean() > 1
    assert received.is_subsampled == (subsampling == "4:2:0")
    restored = restore_image(data, model=model)
    np.testing.assert_allclose(restored, to_rgb(received.luminance(*region), np.clip(expected, 0, 255)), atol=1)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_constant_areas_stay(tmp_path: Path, mode: str) -> None:
    """Blocks that are constant as all blocks around them, whatever the network makes of them."""
    pixels = np.full((80, 96), 70, np.uint8)
    pixels[:8, 64:72] = 90  # another constant block, whose neighbours are changed
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=40)
    model = loaded(tmp_path, tiny.brighter_by_table(1), tiny.brighter_by_table(3))
    expected = np.zeros((80, 96), bool)
    expected[:16, 56:80] = True
    for tile in (16, 64):
        restored = restore_image(file.getvalue(), model=model, project=False, tile=tile)
        changed = restored != decode_image(receive(file.getvalue()))
        np.testing.assert_array_equal(changed if mode == "L" else changed.any(2), expected)


def test_gray_pictures_in_files_with_colour_stay_gray(tmp_path: Path) -> None:
    """Chrominance is constant where luminance is not; and the other way round."""
    gray = np.asarray(Image.open(io.BytesIO(jpeg(64, 64, "L"))).convert("RGB"))
    model = loaded(tmp_path, tiny.brighter_by_table(1), tiny.brighter_by_table(3))
    data = optcodec.encode(gray, quality=30).data
    restored, decoded = restore_image(data, model=model, project=False), decode_image(receive(data))
    assert (restored != decoded).all(2).mean() > 0.9
    assert np.ptp(restored, axis=2).max() == 0

    planes = np.full((3, 80, 80), 128, np.float32)
    planes[1, 40, 40] = 129
    expected = np.ones((3, 64, 64), bool)
    expected[1:, 24:48, 24:48] = False
    np.testing.assert_array_equal(is_constant(planes), expected)


def test_values_outside_of_the_range_are_clipped(tmp_path: Path) -> None:
    white = jpeg(16, 16, "L", quality=5)  # a coarse step, added to bright samples
    restored = restore_image(white, model=loaded(tmp_path, tiny.brighter_by_table(1)), project=False)
    expected = np.clip(decode_image(receive(white)).astype(int) + int(receive(white).steps(0)[0, 0]), 0, 255)
    np.testing.assert_array_equal(restored, expected)
    assert restored.max() == 255


def test_a_model_has_its_name_and_card(tmp_path: Path) -> None:
    model = loaded(tmp_path, tiny.box(), border=7)
    assert (model.name, model.border, model.card, model.chrominance) == ("mine", 7, {"data": "none"}, None)


def test_a_name_finds_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optcodec.shipped.ShippedFiles.folder", tmp_path)
    save_model(tmp_path, tiny.identity(), name="small")
    save_model(tmp_path, tiny.identity(), name="default")
    assert shipped_models() == ["default", "small"]
    assert load_model("small").name == "small"
    assert load_model().name == "default"
    with pytest.raises(InvalidInputError, match=r"^no model 'large'; expected default, small, a \.json file$"):
        load_model("large")


def test_shipped_models_can_be_loaded() -> None:
    assert [load_model(name).name for name in shipped_models()] == shipped_models()


def message(*arguments: object, **options: object) -> str:
    with pytest.raises(OptcodecError) as refusal:
        restore_image(*arguments, **options)
    text = str(refusal.value)
    assert "\n" not in text
    return text


def test_corrupted_weights_are_refused(tmp_path: Path) -> None:
    index = save_model(tmp_path, tiny.box())
    weights = tmp_path / "mine-luminance.onnx"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    text = message(jpeg(8, 8), model=index)
    assert text.startswith("the weights in mine-luminance.onnx are corrupted: SHA-256 ")
    assert text.endswith(f" of {len(content)}")


def test_missing_files_are_named(tmp_path: Path) -> None:
    index = save_model(tmp_path, tiny.box())
    (tmp_path / "mine-luminance.onnx").unlink()
    assert message(jpeg(8, 8), model=index).endswith("mine-luminance.onnx: No such file or directory")
    assert message(jpeg(8, 8), model=tmp_path / "none.json").endswith("none.json: No such file or directory")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda index: index.pop("border"), "no entry 'border'"),
        (lambda index: index.pop("luminance"), "no entry 'luminance'"),
        (lambda index: index["luminance"].pop("sha256"), "no entry 'sha256'"),
        (lambda index: index.update(luminance=None), "does not describe a model"),
        (lambda index: index.update(border=-1), "border is a whole number from 0 on, got -1"),
        (lambda index: index["luminance"].update(file="/dev/zero"), "names files beside it, got '/dev/zero'"),
        (lambda index: index["luminance"].update(file="../a.onnx"), "names files beside it, got '../a.onnx'"),
        (lambda index: index["luminance"].update(file=7), "names files beside it, got 7"),
        (lambda index: index["luminance"].update(file="a\0.onnx"), "names files beside it, got 'a\\x00.onnx'"),
        (lambda index: index["luminance"].update(file="\ud800.onnx"), "found half of a surrogate pair ('\\ud800')"),
    ],
)
def test_an_index_that_lacks_something_is_refused(tmp_path: Path, change: object, expected: str) -> None:
    path = save_model(tmp_path, tiny.box())
    index = json.loads(path.read_text())
    change(index)  # type: ignore[operator]
    path.write_text(json.dumps(index))
    assert expected in message(jpeg(8, 8), model=path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert message(jpeg(8, 8), model=tmp_path / "a.json").startswith("a.json does not describe a model: ")


def test_other_networks_are_refused(tmp_path: Path) -> None:
    data = jpeg(24, 24)
    assert "is no ONNX model that can be run" in message(data, model=save_model(tmp_path, b"nothing of the kind"))
    swapped = save_model(tmp_path, tiny.box_chrominance())
    assert "expected image with 1 planes" in message(data, model=swapped)
    smaller = tiny.network([tiny.helper.make_node("MaxPool", ["image"], ["restored"], kernel_shape=[3, 3])], 1)
    assert (
        message(data, model=save_model(tmp_path, smaller))
        == "mine (luminance) gives (1, 1, 22, 22) samples; expected (1, 1, 24, 24)"
    )
    shapeless = [tiny.helper.make_node("Concat", ["image", "image"], ["restored"], axis=1)]
    assert message(data, model=save_model(tmp_path, tiny.network(shapeless, 1))) == (
        "mine (luminance) gives (1, 2, 24, 24) samples; expected (1, 1, 24, 24)"
    )
    failing = tiny.network(
        [tiny.helper.make_node("Add", ["image", "row"], ["restored"])], 1, constants={"row": np.ones(5, np.float32)}
    )
    assert message(data, model=save_model(tmp_path, failing)).startswith(
        "mine (luminance) does not run on (1, 24, 24) samples: "
    )


def test_without_onnx_runtime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    text = message(jpeg(8, 8), model=save_model(tmp_path, tiny.box()))
    assert text == "onnxruntime is needed for this, and is not installed: pip install 'optcodec[receiver]'"


def test_arguments_out_of_range_are_refused(tmp_path: Path) -> None:
    index, data = save_model(tmp_path, tiny.box()), jpeg(8, 8)
    for tile in (0, 17, 40, 32.0):
        assert message(data, model=index, tile=tile) == f"tile is a multiple of 16, got {tile}"
    assert message(data, model=index, threads=0) == "threads is a whole number from 1 on, got 0"
    assert message(data, model=load_model(index), threads=2).startswith("a loaded model has its threads already")


def test_what_is_no_jpeg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedJpegError, match="SOI"):
        restore_image(b"\x89PNG\r\n\x1a\n", model=loaded(tmp_path, tiny.box()))


def test_the_public_names_can_be_imported() -> None:
    functions = {"add_hint", "decode_centroids", "load_model", "restore_image", "restore_pixels", "shipped_models"}
    assert set(restore.__all__) == {"Model"} | functions
    assert set(restore.__all__) <= set(dir(restore))
