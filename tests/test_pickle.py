"""Every public error and value survives pickle and copy, so that processes can exchange them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import multiprocessing
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import optcodec
import restore
from optcodec import Bpp, CoefficientRows, Metadata, QuantTable, SensitivityProfile
from restore.training.recipe import load_recipe
from tests.cli_helpers import photograph

PHOTO = photograph(40, 56)
FILE = optcodec.encode(PHOTO, quality=60, metadata=True)
BLOCKS = np.zeros((2, 3, 8, 8))
BLOCK = np.ones((5, 2))
FIELD = optcodec.QualityField.from_mask(PHOTO[..., 0])


def rows_of(data: bytes) -> CoefficientRows:
    return optcodec.read_jpeg_rows(data)


def profile() -> SensitivityProfile:
    """A sensitivity profile with all optional arrays."""
    shipped = optcodec.load_profile("mobilenet_v2")
    errors = np.full((3, 8, 8), 0.5)
    return dataclasses.replace(shipped, provenance=dataclasses.replace(shipped.provenance, standard_errors=errors))


pytestmark = pytest.mark.filterwarnings("ignore:Rdo and thorough are deprecated")  # whenever one is made or copied


def deprecated(**options: Any) -> optcodec.Rdo:
    with pytest.warns(DeprecationWarning, match="Rdo and thorough are deprecated"):
        return optcodec.Rdo(**options)


# At least one example of every public class; a new class without an example fails below.
EXAMPLES: dict[str, list[Any]] = {
    "BlockChoice": [optcodec.blocks_by("x264"), optcodec.blocks_by("qpnet:deblock")],
    "Bpp": [Bpp(1.5)],
    "CoefficientImage": [FILE.coefficients],
    "CoefficientRows": [rows_of(FILE.data)],
    "Component": list(FILE.coefficients.components),
    "Curves": [optcodec.Curves(np.array([20, 80]), BLOCK, 2 + BLOCK, 1 + BLOCK)],
    "DctImage": [optcodec.forward(PHOTO, "4:2:0")],
    "DctComponent": [optcodec.DctComponent(1, 1, 1, BLOCKS.astype(np.float32))],
    "DiskFullError": [optcodec.DiskFullError("cannot write a.jpg: No space left on device")],
    "EncodedJpeg": [FILE],
    "Transcoded": [optcodec.transcode(FILE.data), optcodec.transcode(FILE.data, target=optcodec.MaxBytes(10**6))],
    "InvalidInputError": [optcodec.InvalidInputError("found this, expected that")],
    "JpegWarning": [optcodec.JpegWarning("found this (at byte 9); done that")],
    "MalformedJpegError": [optcodec.MalformedJpegError("found this, expected that", 17)],
    "Masking": [optcodec.Masking(0.5, 60.0)],
    "MatchButteraugli": [optcodec.MatchButteraugli(1.5)],
    "MatchMeasure": [optcodec.MatchMeasure(len, 1000), optcodec.MatchMeasure(len, -5.5, at_least=True, tolerance=0.1)],
    "MatchPsnr": [optcodec.MatchPsnr(30.0)],
    "MatchQuality": [optcodec.MatchQuality(75)],
    "MatchSsim": [optcodec.MatchSsim(0.9)],
    "MatchSsimulacra2": [optcodec.MatchSsimulacra2(80)],
    "MatchSwe": [optcodec.MatchSwe(0.1)],
    "MaxBytes": [optcodec.MaxBytes(1000)],
    "MaxLoss": [optcodec.MaxLoss(0.05)],
    "MaxLossIncrease": [optcodec.MaxLossIncrease(0.02)],
    "Metadata": [
        optcodec.read_jpeg(FILE.data[:2] + b"\xff\xfe\0\5abc" + FILE.data[2:] + b"behind").metadata,
        Metadata(),
        Metadata(b"profile", b"exif", 1, (1, 300, 300)),
    ],
    "Model": [restore.load_model("tiny", threads=1)],
    "NetworkReader": [optcodec.NetworkReader(torch.nn.Conv2d(3, 2, 1), views=2)],
    "OptcodecError": [optcodec.OptcodecError("found this, expected that")],
    "Picture": [optcodec.Picture(PHOTO, Metadata(exif=b"exif"), ("a notice",))],
    "Provenance": [profile().provenance],
    "Quality": [optcodec.Quality(50)],
    "QualityField": [FIELD],
    "QuantTable": [QuantTable(np.arange(1, 65).reshape(8, 8))],
    "Rdo": [deprecated(), deprecated(tune=profile(), field=FIELD, thorough=True)],
    "Pace": [optcodec.Pace(0.3, 0.05), optcodec.Pace(rounds=3)],
    "PeopleReader": [optcodec.PeopleReader(0.4)],
    "Readers": [optcodec.Readers([len], weights=[2], fidelity=0.5)],
    "Recipe": [load_recipe("tiny")],
    "SameDecision": [optcodec.SameDecision()],
    "SamplingMismatchWarning": [optcodec.SamplingMismatchWarning("found this, expected that")],
    "SensitivityProfile": [profile()],
    "TargetNotMetError": [optcodec.TargetNotMetError("found this, expected that")],
    "TiledReader": [optcodec.TiledReader(len, 64)],
    "Tuning": [optcodec.Tuning(np.ones((3, 64)))],
    "UnreadableSizeWarning": [optcodec.UnreadableSizeWarning("found this, handled is that")],
    "UnsupportedJpegError": [optcodec.UnsupportedJpegError("found this, handled is that")],
    "UtilityProfile": [optcodec.load_utility_profile("deblock")],
    "UtilityProvenance": [optcodec.load_utility_profile("deblock").provenance],
    "WaterLevel": [optcodec.WaterLevel(0.05)],
}
# The base class of all targets, and the protocols of tasks and readers, which users implement.
PROTOCOLS = {"Reader", "Reading", "Target", "Task"}
ALL = [
    pytest.param(value, id=f"{name}-{number}")
    for name, values in EXAMPLES.items()
    for number, value in enumerate(values)
]


def test_every_public_class_has_an_example() -> None:
    public = {name for package in (optcodec, restore) for name in package.__all__}
    classes = {name for name in public if inspect.isclass(getattr(optcodec, name, getattr(restore, name, None)))}
    assert classes <= EXAMPLES.keys() | PROTOCOLS
    for name, examples in EXAMPLES.items():
        assert {type(example).__name__ for example in examples} == {name}


def described(value: Any) -> Any:
    """All contents of a value with their types, and for arrays whether they are writable."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes(), value.flags.writeable
    if isinstance(value, restore.Model):
        return value.name, value.border, described(value.card), value.threads, value.source
    if isinstance(value, CoefficientRows):
        return value.data, [described(blocks) for row in value for blocks in row], described(value.tables)
    if isinstance(value, torch.nn.Module):
        return type(value), {name: described(tensor.numpy()) for name, tensor in value.state_dict().items()}
    if dataclasses.is_dataclass(value):
        held = {item.name: described(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return type(value), held
    if isinstance(value, BaseException):
        return type(value), str(value), value.args, vars(value)
    if isinstance(value, Mapping):
        return type(value), {key: described(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value), [described(item) for item in value]
    assert value is None or value is len or isinstance(value, (str, bytes, int, float)), type(value)
    return type(value), value


@pytest.mark.parametrize("value", ALL)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_gives_an_equal_value(value: Any, protocol: int) -> None:
    assert described(pickle.loads(pickle.dumps(value, protocol))) == described(value)


@pytest.mark.parametrize("value", ALL)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_is_equal(value: Any, copied: Any) -> None:
    assert described(copied(value)) == described(value)


def test_a_value_is_checked_when_it_is_unpickled() -> None:
    data = pickle.dumps(Metadata()), pickle.dumps(QuantTable(np.full((8, 8), 258)))
    wrong = data[1].replace(b"\x02\x01" * 64, b"\x00\x00" * 64)
    assert wrong != data[1]
    with pytest.raises(optcodec.InvalidInputError, match="quantization steps lie in"):
        pickle.loads(wrong)


def test_a_model_restores_the_same_after_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = EXAMPLES["Model"]
    expected = restore.restore_image(FILE.data, model=model)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(restore.restore_image(FILE.data, model=again), expected)
    shipped = Path(restore.__file__).parent / "data/models"
    for part in shipped.glob("tiny*"):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    monkeypatch.chdir(tmp_path)
    packed = pickle.dumps(restore.load_model("./tiny.json", threads=1))
    monkeypatch.chdir("/")  # the working folder of the other process does not matter
    assert np.array_equal(restore.restore_image(FILE.data, model=pickle.loads(packed)), expected)


def test_a_model_from_a_constructor_says_that_it_cannot_be_pickled() -> None:
    (model,) = EXAMPLES["Model"]
    by_hand = restore.Model("mine", model.luminance, None, model.border)
    with pytest.raises(optcodec.InvalidInputError, match="mine was not loaded from a file"):
        pickle.dumps(by_hand)


def read_cut(nbytes: int) -> int:
    return optcodec.read_jpeg(FILE.data[:nbytes]).width


def test_a_pool_reports_a_broken_file_and_goes_on() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        broken, whole = pool.apply_async(read_cut, (300,)), pool.apply_async(read_cut, (FILE.nbytes,))
        with pytest.raises(optcodec.MalformedJpegError) as error:
            broken.get(timeout=60)
        assert error.value.offset == 300
        assert whole.get(timeout=60) == 56


def test_functions_that_name_the_packages_can_be_sent() -> None:
    """Ray, Dask and Spark send functions with the modules that they name, which is to be a module like any other."""
    by_value = pytest.importorskip("ray.cloudpickle")

    def named() -> tuple[Any, Any]:
        return optcodec, restore

    assert pickle.loads(by_value.dumps(named))() == (optcodec, restore)
