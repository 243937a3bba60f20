"""Sensitivity profiles from gradients that the workers of a cluster compute, a batch of images at a time.

A worker sends back the mean and the spread of its batch, a few kilobytes, and this process merges them in the order of
the batches. Sums of floats are so the same with any number of workers, whichever of them does a batch and whenever it
is done, and after it was done again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optcodec.batch.cluster import Cluster, Lost
from optcodec.batch.parts import Reach
from optcodec.errors import InvalidInputError
from optcodec.vision.datasets import LabelledImage, batches
from optcodec.vision.estimate import Estimate
from optcodec.vision.measure import Measure, Part, evaluation_mode
from optcodec.vision.running import one_torch_thread
from optcodec.vision.survey import ImageSample, drawn_images, with_provenance

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["sensitivity_on"]


def sensitivity_on(
    cluster: Cluster,
    load: Callable[..., TargetModel],
    survey: ImageSample,
    *,
    until_stderr: float | None = None,
    progress: Callable[[int, float], None] | None = None,
    on_unreadable: Callable[[Path, str], None],
    **options: Any,
) -> SensitivityProfile:
    """As `optcodec.vision.survey.sensitivity_of`, with the same result on machines of the same kind.

    Parameters
    ----------
    cluster : Cluster
        What measures.
    load : callable
        Loads the model on a worker; it can be pickled. With ``device="cpu"`` it does so for this process, which only
        asks the model for its classes.
    survey : ImageSample
        The images, which all machines see.
    until_stderr, progress, on_unreadable
        As in `sensitivity_of`.
    **options
        Its other options: subsampling, quality and dtype.

    Raises
    ------
    InvalidInputError
        As `sensitivity_of`, or if a machine does not see the images, or workers die each time.
    """
    target = load(device="cpu")
    drawn = drawn_images(target, survey)
    if survey.batch < 1:
        raise InvalidInputError(f"a batch holds at least 1 image, got {survey.batch}")
    estimate = Estimate(Measure.of(target.module, None, **options), until_stderr, progress)
    reach = Reach.of(None, drawn[0].path)
    cluster.prepare(reach.check)
    work = _Gradients(reach, load, options, survey.max_pixels)
    turns = enumerate(range(0, len(drawn), survey.batch))
    calls = (_Turn(turn, tuple(drawn[at : at + survey.batch]), estimate.compares) for turn, at in turns)
    with closing(_in_turn(cluster.results(work, calls))) as results:
        for result in results:
            for path, reason in result.unreadable:
                on_unreadable(path, reason)
            if result.part is not None and estimate.add(result.part):
                break
    return with_provenance(estimate.profile(), target, survey)


@dataclass(frozen=True)
class _Turn:
    """A batch of images and its number.

    It is compared with float32 if, when it is sent out, too few images before it have come back compared. So all that
    the estimate asks for are, and perhaps some more.
    """

    number: int
    images: Sequence[LabelledImage]
    compare: bool


@dataclass(frozen=True)
class _Result:
    """What a batch adds, if one of its images can be read, and why others cannot."""

    part: Part | None
    unreadable: Sequence[tuple[Path, str]]


@dataclass(frozen=True)
class _Gradients:
    """What a worker does with batches."""

    reach: Reach
    load: Callable[[], TargetModel]
    options: Mapping[str, Any]
    max_pixels: int | None

    def opened(self) -> Callable[[_Turn], _Result]:
        """What a worker keeps, and calls with each batch: the model is loaded once."""
        self.reach.check()
        target = self.load()
        measure = Measure.of(target.module, None, **self.options)

        def work(turn: _Turn) -> _Result:
            with one_torch_thread(), evaluation_mode(target.module):
                return self._measured(target, measure, turn)

        return work

    def _measured(self, target: TargetModel, measure: Measure, turn: _Turn) -> _Result:
        unreadable: list[tuple[Path, str]] = []
        stacked = batches(
            turn.images,
            target.preprocess,
            size=len(turn.images),
            on_unreadable=lambda path, reason: unreadable.append((path, reason)),
            max_pixels=self.max_pixels,
        )
        parts = [measure.part(batch, compare=turn.compare) for batch in stacked]
        return _Result(parts[0] if parts else None, unreadable)


def _in_turn(results: Generator[tuple[_Turn, Any], None, None]) -> Generator[_Result, None, None]:
    """Results in the order of their numbers; those that are early wait.

    Raises
    ------
    InvalidInputError
        If a worker died each time.
    """
    early: dict[int, _Result] = {}
    turn = 0
    with closing(results):
        for call, result in results:
            if isinstance(result, Lost):
                names = f"{call.images[0].path} and the {len(call.images) - 1} images after it"
                raise InvalidInputError(f"the sensitivity of {names} cannot be measured: {result.reason}")
            early[call.number] = result
            while turn in early:
                yield early.pop(turn)
                turn += 1
