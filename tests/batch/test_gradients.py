"""Profiles from batches that workers measure: the same as on one machine, in whatever order the batches come back."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec.batch.cluster import Lost
from optcodec.errors import InvalidInputError
from tests.batch import nodes
from tests.cli_helpers import save

pytest.importorskip("torchvision")

from optcodec.batch.gradients import sensitivity_on
from optcodec.vision.profile import SensitivityProfile
from optcodec.vision.survey import ImageSample, sensitivity_of

UNREADABLE = ("004", "009", "010", "011")  # all of one batch of three, and one of another


@dataclass
class Workers:
    """In place of a cluster: work is sent to workers, and comes back in an order by chance."""

    ahead: int
    seed: int
    dies: str = ""  # the batch with this picture
    sent: int = 0

    def prepare(self, check: Callable[[], None]) -> None:
        pickle.loads(pickle.dumps(check))()

    def results(self, work: Any, calls: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        generator, waiting = random.Random(self.seed), iter(calls)
        called = pickle.loads(pickle.dumps(work)).opened()
        running: list[Any] = []
        while True:
            running += islice(waiting, self.ahead - len(running))
            if not running:
                return
            call = running.pop(generator.randrange(len(running)))
            self.sent += 1
            if any(image.path.stem == self.dies for image in call.images):
                yield call, Lost("its worker died 4 times")
            else:
                yield call, pickle.loads(pickle.dumps(called(pickle.loads(pickle.dumps(call)))))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty pictures of noise, of which four cannot be read."""
    monkeypatch.setenv(nodes.FOLDER, str(tmp_path))
    generator = np.random.default_rng(0)
    for number in range(40):
        pixels = generator.integers(0, 40 + 5 * number, (20, 30, 3), dtype=np.uint8)
        path = save(tmp_path / "in" / f"{number:03}.png", pixels)
        if path.stem in UNREADABLE:
            path.write_bytes(path.read_bytes()[:300])
    return tmp_path / "in"


def loaded(device: str = "cpu") -> Any:
    return nodes.network()


def both(
    folder: Path, workers: Workers, **options: Any
) -> tuple[tuple[SensitivityProfile, list[Any]], tuple[SensitivityProfile, list[Any]]]:
    """Profile and news of one machine and of the workers."""
    survey = ImageSample(folder, labels="self", seed=3, batch=3)
    runs = []
    for measured in (partial(sensitivity_of, loaded()), partial(sensitivity_on, workers, loaded)):
        news: list[Any] = []
        profile = measured(
            survey,
            progress=lambda *how, news=news: news.append(how),
            on_unreadable=lambda *what, news=news: news.append(what),
            **{"subsampling": "4:4:4", "quality": None, "dtype": "float32", **options},
        )
        runs.append((profile, news))
    return runs[0], runs[1]


@pytest.mark.parametrize("ahead", [1, 2, 7, 40])
@pytest.mark.parametrize(
    "options", [{"subsampling": "4:2:0"}, {"quality": 40}, {"until_stderr": 0.5}, {"dtype": "bfloat16"}], ids=str
)
def test_profiles_do_not_depend_on_the_workers(
    folder: Path, tmp_path: Path, ahead: int, options: dict[str, Any]
) -> None:
    """The same file to the byte, and the same news in the same order."""
    workers = Workers(ahead, seed=ahead)
    (local, told), (far, heard) = both(folder, workers, **options)
    local.save(tmp_path / "local.json")
    far.save(tmp_path / "far.json")
    assert (tmp_path / "far.json").read_bytes() == (tmp_path / "local.json").read_bytes()
    assert heard == told
    if "until_stderr" in options:
        assert local.provenance.images < 36
        assert workers.sent <= 14
    else:
        assert local.provenance.images == 36
        assert sorted(what[0].stem for what in told if isinstance(what[0], Path)) == list(UNREADABLE)


@pytest.mark.parametrize("ahead", [1, 7])
def test_bfloat16_is_refused_after_the_same_images(folder: Path, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """The line has figures of the images that were compared, of which there must be the same."""
    from optcodec.vision import estimate

    lines = []
    for compared in (6, 20):
        monkeypatch.setattr(estimate, "_TRIAL", compared)
        monkeypatch.setattr(estimate.Moments, "standard_error", lambda moments: np.zeros(moments.mean.shape))
        for workers in (None, Workers(ahead, seed=1)):
            survey = ImageSample(folder, labels="self", batch=3)
            options: dict[str, Any] = {"subsampling": "4:4:4", "quality": None, "dtype": "bfloat16"}
            measured: Any = partial(sensitivity_of, loaded())
            if workers is not None:
                measured = partial(sensitivity_on, workers, loaded)
            with pytest.raises(InvalidInputError, match="bfloat16 changes the weight") as caught:
                measured(survey, on_unreadable=lambda path, reason: None, **options)
            lines.append(str(caught.value))
    assert lines[0] == lines[1] != lines[2] == lines[3]


def test_a_batch_that_ends_each_worker_is_named(folder: Path) -> None:
    workers = Workers(4, seed=0, dies="007")
    with pytest.raises(
        InvalidInputError, match=r"the sensitivity of .*png and the 2 images after it cannot be measured"
    ):
        both(folder, workers)


@pytest.mark.parametrize(
    ("options", "line"), [({"images": 99}, "expected a sample of 1 to 40"), ({"batch": 0}, "holds at least 1 image")]
)
def test_bad_surveys(folder: Path, options: dict[str, int], line: str) -> None:
    survey = ImageSample(folder, labels="self", **options)
    for measured in (partial(sensitivity_of, loaded()), partial(sensitivity_on, Workers(1, 0), loaded)):
        with pytest.raises(InvalidInputError, match=line):
            measured(survey, on_unreadable=print, subsampling="4:4:4", quality=None, dtype="float32")


def test_images_that_no_machine_sees(folder: Path) -> None:
    """A machine that does not see the first one would call all of them unreadable."""
    first = ImageSample(folder, labels="self", seed=3)
    workers = Workers(1, 0)

    def vanish(check: Callable[[], None]) -> None:
        folder.rename(folder.with_name("elsewhere"))
        check()

    workers.prepare = vanish  # type: ignore[method-assign]
    with pytest.raises(InvalidInputError, match="does not see the pictures: "):
        sensitivity_on(
            workers,  # type: ignore[arg-type]
            loaded,
            first,
            on_unreadable=print,
            subsampling="4:4:4",
            quality=None,
            dtype="float32",
        )
