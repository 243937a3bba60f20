"""Originals against coded files: measured by hand, averaged, and compared with limits."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec.accuracy.change import Change, change_of, check_sizes, measure_pair
from optcodec.accuracy.classifier import Classifier, log_probabilities, torch_classifier
from optcodec.accuracy.network import logits_by, logits_of
from optcodec.accuracy.pairs import Pair
from optcodec.accuracy.verification import RESAMPLES, Limits, verification_of
from optcodec.bootstrap import percentile_interval
from optcodec.errors import InvalidInputError
from optcodec.pictures.pixels import Picture
from optcodec.vision.models import TargetModel
from tests.accuracy_helpers import classifier, crop
from tests.cli_helpers import save

WEIGHTS = np.random.default_rng(12).normal(0, 0.04, (3, 4))


def mean_colour(pixels: np.ndarray) -> np.ndarray:
    """Logits of four classes, from the mean colour."""
    return pixels.mean(axis=(0, 1)) @ WEIGHTS


def softmax(logits: np.ndarray) -> list[float]:
    powers = [math.exp(value) for value in logits]
    return [power / sum(powers) for power in powers]


NETWORK = Classifier("mean colour", mean_colour)
ORIGINAL, CODED = crop("astronaut"), crop("coffee")


# ---- One picture -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [None, 0, 3])
def test_a_change_is_that_computed_by_hand(label: int | None) -> None:
    before, after = softmax(mean_colour(ORIGINAL)), softmax(mean_colour(CODED))
    change = change_of(NETWORK, "a.png", (ORIGINAL, CODED), (900, 300), label)
    true = before.index(max(before)) if label is None else label
    assert (change.name, change.nbytes_before, change.nbytes_after, change.label) == ("a.png", 900, 300, label)
    assert change.decision_before == before.index(max(before))
    assert change.decision_after == after.index(max(after)) != change.decision_before
    assert change.loss_before == pytest.approx(-math.log(before[true]))
    assert change.loss_after == pytest.approx(-math.log(after[true]))
    assert change.loss_increase == pytest.approx(math.log(before[true] / after[true]))
    assert change.kl == pytest.approx(sum(p * math.log(p / q) for p, q in zip(before, after, strict=True)))


def test_equal_pictures_have_not_changed() -> None:
    change = change_of(NETWORK, "a", (ORIGINAL, ORIGINAL), (1, 1))
    assert (change.loss_increase, change.kl) == (0, 0)


def test_a_torch_network_gives_what_its_module_gives() -> None:
    torch = pytest.importorskip("torch")
    target = classifier()
    with torch.no_grad():
        batch = torch.from_numpy(ORIGINAL.transpose(2, 0, 1).copy())[None] / 255
        expected = target.module.eval()(batch).log_softmax(1)[0].numpy()
    np.testing.assert_allclose(torch_classifier(target)(ORIGINAL), expected, rtol=1e-4, atol=1e-5)


def test_gray_pictures_are_three_equal_channels() -> None:
    gray = ORIGINAL[..., 1]
    np.testing.assert_array_equal(NETWORK(gray), NETWORK(np.dstack([gray] * 3)))
    target = classifier()
    np.testing.assert_array_equal(logits_by(target)(gray), logits_by(target)(np.dstack([gray] * 3)))


def test_the_label_is_a_class_of_the_network() -> None:
    with pytest.raises(InvalidInputError, match=r"the label is one of the classes 0\.\.3 of the network, got 4"):
        change_of(NETWORK, "a", (ORIGINAL, CODED), (1, 1), 4)


def test_probabilities_are_the_same_as_their_logits() -> None:
    logits = np.array([3.0, -1.0, 0.5])
    expected = log_probabilities(logits)
    np.testing.assert_allclose(expected, np.log(softmax(logits)))
    np.testing.assert_allclose(log_probabilities(softmax(logits), probabilities=True), expected)
    eight_bits = np.round(255 * np.array(softmax(logits))) / 256  # their sum is not quite 1
    assert np.exp(log_probabilities(eight_bits, probabilities=True)).sum() == pytest.approx(1)
    assert np.isfinite(log_probabilities([1, 0], probabilities=True)).all()
    assert np.isfinite(log_probabilities([1e5, -1e5])).all()


@pytest.mark.parametrize(
    ("outputs", "probabilities", "message"),
    [
        ([1.0, math.nan], False, "the output of the network is not finite; expected finite numbers"),
        ([math.inf, 0.0], True, "not finite"),
        ([1.0], False, r"two classes or more, shape \(classes,\) or \(classes, rows, columns\), got \(1,\)"),
        ([[1.0, 2.0]], False, r"got \(1, 2\)"),
        ([0.9, 0.1], False, r"expected logits, got numbers in 0\.1\.\.0\.9 that sum to 1, like probabilities"),
        ([0.9, 0.4], True, r"expected probabilities, from 0 on with the sum 1, got numbers in 0\.4\.\.0\.9 that sum"),
        ([1.1, -0.1], True, "expected probabilities"),
    ],
)
def test_outputs_of_another_kind_are_refused(outputs: Any, probabilities: bool, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        log_probabilities(outputs, probabilities=probabilities)


def test_a_network_that_does_not_take_pictures_is_refused() -> None:
    target = classifier()
    with pytest.raises(InvalidInputError, match="the network does not take pictures of 6x4 pixels: "):
        logits_of(target.module, [np.zeros((4, 6, 3), np.uint8)])
    for preprocess, wrong in (
        (lambda image: image, "Image"),
        (lambda image: target.preprocess(image) / 255, "float32"),
    ):
        other = TargetModel("odd", target.module, preprocess)
        with pytest.raises(InvalidInputError, match=f"preprocessing of odd to give uint8 of shape .* got .*{wrong}"):
            logits_by(other)(ORIGINAL)


# ---- Files -----------------------------------------------------------------------------------------------------------


def test_files_are_turned_upright(tmp_path: Path) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    wide = crop()[:40]
    before = save(tmp_path / "a.jpg", np.rot90(wide), quality=95, exif=exif)
    after = save(tmp_path / "b.png", wide)
    change = measure_pair(NETWORK, Pair("a.jpg", before, after, None))
    assert (change.nbytes_before, change.nbytes_after) == (before.stat().st_size, after.stat().st_size)
    assert change.kl < 1e-2


def test_sizes_are_equal_or_have_the_same_proportions() -> None:
    def picture(width: int, height: int) -> Picture:
        return Picture(np.zeros((height, width), np.uint8))

    check_sizes(picture(100, 67), picture(100, 67), resized=False)
    with pytest.raises(InvalidInputError, match="has 50x34 pixels; expected 100x67, as the original has"):
        check_sizes(picture(100, 67), picture(50, 34), resized=False)
    for width, height in ((50, 33), (50, 34), (200, 134), (10, 7)):
        check_sizes(picture(100, 67), picture(width, height), resized=True)
    for width, height in ((50, 32), (67, 100), (50, 50)):
        with pytest.raises(InvalidInputError, match=f"has {width}x{height} pixels; expected the proportions of the or"):
            check_sizes(picture(100, 67), picture(width, height), resized=True)


# ---- All pictures ----------------------------------------------------------------------------------------------------


def changes(count: int = 30, *, labelled: bool = True) -> list[Change]:
    numbers = random.Random(4)
    return [
        Change(
            f"{index}.png",
            numbers.randrange(1000, 5000),
            numbers.randrange(300, 900),
            numbers.randrange(2) if labelled else None,
            *(numbers.randrange(2), numbers.randrange(2)),
            loss_before=numbers.random(),
            loss_after=2 * numbers.random(),
            kl=numbers.random(),
        )
        for index in range(count)
    ]


def test_figures_are_those_computed_by_hand() -> None:
    made = changes()
    found = verification_of(made, seed=3)
    before, after = sum(c.nbytes_before for c in made), sum(c.nbytes_after for c in made)
    assert (found.images, found.nbytes_before, found.nbytes_after) == (30, before, after)
    assert found.saved_percent.value == pytest.approx(100 - 100 * after / before)
    right_before = [c.label == c.decision_before for c in made]
    right_after = [c.label == c.decision_after for c in made]
    assert found.top1_percent_before is not None
    assert found.top1_percent_before.value == pytest.approx(100 * sum(right_before) / 30)
    for name, values in {
        "agreement_percent": [100.0 * (c.decision_before == c.decision_after) for c in made],
        "loss_increase": [c.loss_after - c.loss_before for c in made],
        "kl": [c.kl for c in made],
        "top1_percent_after": [100.0 * right for right in right_after],
        "top1_change_points": [100.0 * (b - a) for a, b in zip(right_before, right_after, strict=True)],
    }.items():
        figure = getattr(found, name)
        assert figure.value == pytest.approx(sum(values) / 30), name
        assert (figure.low, figure.high) == percentile_interval(values, resamples=RESAMPLES, seed=3), name
        assert figure.low < figure.value < figure.high, name
    increases = sorted((c.loss_after - c.loss_before for c in made), reverse=True)
    assert [c.loss_increase for c in found.worst] == increases[:10]
    assert found.saved_percent.low < found.saved_percent.value < found.saved_percent.high


@pytest.mark.parametrize(("count", "least"), [(20, 83.16), (367, 98.9999), (368, 99.0026), (1, 2.5)])
def test_decisions_that_all_stayed_prove_a_share_only(count: int, least: float) -> None:
    from scipy.stats import binomtest

    stayed = [replace(change, decision_before=1, decision_after=1, label=0) for change in changes(count)]
    found = verification_of(stayed)
    expected = binomtest(count, count).proportion_ci(0.95, "exact")
    figure = found.agreement_percent
    assert (figure.value, figure.high) == (100, 100)
    assert figure.low == pytest.approx(100 * expected.low)
    assert figure.low == pytest.approx(least, abs=6e-3)
    assert found.top1_percent_after is not None
    assert (found.top1_percent_after.value, found.top1_percent_after.low) == (0, 0)
    assert found.top1_percent_after.high == pytest.approx(100 - 100 * expected.low)
    (check,) = Limits(min_agreement=99).checks(found)
    assert check.kept is (count >= 368)


def test_without_labels_there_is_no_accuracy() -> None:
    found = verification_of(changes(3, labelled=False))
    assert found.top1_percent_before is found.top1_percent_after is found.top1_change_points is None
    assert len(found.worst) == 3


def test_all_pictures_have_labels_or_none_has() -> None:
    with pytest.raises(InvalidInputError, match="labels for all pictures or for none, got 1 labels"):
        verification_of([*changes(1), *changes(2, labelled=False)])
    with pytest.raises(InvalidInputError, match="at least one picture, got 0"):
        verification_of([])


def test_limits_are_compared_with_the_worse_end() -> None:
    found = verification_of(changes())
    ends = {
        "max_loss": found.loss_increase.high,
        "max_kl": found.kl.high,
        "min_agreement": found.agreement_percent.low,
    }
    (loss, kl, agreement) = Limits(**ends).checks(found)
    assert [(check.name, check.reached) for check in (loss, kl, agreement)] == list(ends.items())
    assert loss.kept
    assert kl.kept
    assert agreement.kept
    middle = Limits(found.loss_increase.value, found.kl.value, found.agreement_percent.value)
    assert [check.kept for check in middle.checks(found)] == [False] * 3
    assert Limits().checks(found) == ()


@pytest.mark.parametrize("limit", [{"max_loss": math.nan}, {"max_kl": -1}, {"min_agreement": 101}, {"max_loss": "1"}])
def test_limits_are_numbers(limit: dict[str, Any]) -> None:
    (name,) = limit
    with pytest.raises(InvalidInputError, match=name):
        Limits(**limit)
