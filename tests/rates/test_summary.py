"""Means of rows and Bjøntegaard rates, against the package that computes them for single curves."""

from __future__ import annotations

import math

import bjontegaard
import numpy as np
import pytest

from optcodec.errors import InvalidInputError
from optcodec.peers.encoders import encode_turbo
from optcodec.rates import (
    MEASURES,
    Curve,
    Experiment,
    Measure,
    Part,
    PeerSender,
    Rate,
    Row,
    judge_by,
    load_measures,
    result_of,
)
from optcodec.rates.summary import bd_rates, points

JPEG = PeerSender("jpeg", encode_turbo)


def experiment(*rates: Rate, senders: tuple = (JPEG,), **changes: object) -> Experiment:
    judge = judge_by(load_measures(["psnr", "ssim"]))
    return Experiment(senders, rates, **({"judge": judge} | changes))


def synthetic(gain: float, sender: str, images: int = 5) -> list[Row]:
    """Rows of curves like those of a sender that needs ``gain`` of the bytes of another."""
    rows = []
    for image in range(images):
        for step, nbytes in enumerate((1000, 1700, 2900, 5100)):
            psnr = 26 + 4 * step + image / 3 + 0.1 * step * step
            size = round(nbytes * gain * (1 + image / 100))
            decision = {"top1_percent": 100.0 if (image + step) % 4 else 0.0, "loss": 2 - 0.4 * step - image / 20}
            curve = Curve(sender, "jpeg", 0.0)
            rows.append(
                Row("s", str(image), curve, Rate("quality", 10 + step), size, size / 800, {"psnr": psnr} | decision)
            )
    return rows


def test_bd_rates_are_means_of_those_of_the_package() -> None:
    rows = synthetic(1, "jpeg") + synthetic(0.8, "better")
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], {"psnr": MEASURES["psnr"]})
    values = []
    for image in range(5):
        sides = []
        for sender in ("jpeg", "better"):
            own = [row for row in rows if (row.image, row.curve.sender) == (str(image), sender)]
            sides += [[row.nbytes for row in own], [row.measures["psnr"] for row in own]]
        values.append(bjontegaard.bd_rate(*sides, method="pchip", require_matching_points=False, min_overlap=0))
    assert record["value"] == pytest.approx(np.mean(values), rel=1e-9)
    assert record["low"] <= record["value"] <= record["high"]
    assert (record["images"], record["not_comparable"], record["measure"]) == (5, 0, "psnr")
    assert record["against"] == {"sender": "jpeg", "receiver": "jpeg"}
    assert record["value"] == pytest.approx(-20, abs=0.1)


def test_a_measure_that_falls_is_compared_by_the_curves_of_means() -> None:
    rows = synthetic(1, "jpeg") + synthetic(0.5, "better")
    measures = {"loss": Measure("loss", 2, rises=False, per_image=False)}
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], measures)
    assert record["value"] == pytest.approx(-50, abs=0.2)
    assert record["images"] == 5
    fewer = [row for row in rows if (row.image, row.curve.sender, row.rate.value) != ("2", "better", 11)]
    (record,) = bd_rates(fewer, lambda curve: [Curve("jpeg", "jpeg", 0.0)], measures)
    assert (record["images"], record["not_comparable"]) == (4, 1)


def test_a_distance_of_each_picture_falls() -> None:
    """As LPIPS does: the BD-rate is that of the negative distance."""
    rows = [
        Row(r.set, r.image, r.curve, r.rate, r.nbytes, r.bpp, {"far": 1 - r.measures["psnr"] / 100})
        for r in synthetic(1, "jpeg") + synthetic(0.8, "better")
    ]
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], {"far": Measure("far", 2, rises=False)})
    assert record["images"] == 5
    assert record["value"] == pytest.approx(-20, abs=0.1)


def test_curves_that_cannot_be_compared_say_why() -> None:
    rows = synthetic(1, "jpeg") + [row for row in synthetic(1, "short") if row.rate.value < 12]
    (record,) = bd_rates(rows, lambda curve: [Curve("jpeg", "jpeg", 0.0)], {"psnr": MEASURES["psnr"]})
    assert (record["value"], record["images"], record["not_comparable"]) == (None, 0, 5)
    assert record["reason"] == "2 different qualities on a curve; expected at least 3"


def test_points_are_means_and_equal_pictures_are_counted() -> None:
    rows = synthetic(1, "jpeg")
    exact = [
        Row(row.set, row.image, row.curve, row.rate, row.nbytes, row.bpp, dict(row.measures) | {"psnr": math.inf})
        if row.image == "0"
        else row
        for row in rows
    ]
    record = points(exact)[0]
    assert (record["images"], record["exact"], record["rate"]) == (5, 1, {"kind": "quality", "value": 10.0})
    mean = np.mean([row.measures["psnr"] for row in exact if row.rate.value == 10 and row.image != "0"])
    assert record["measures"]["psnr"]["value"] == pytest.approx(mean)
    assert record["bpp"]["value"] == pytest.approx(np.mean([row.bpp for row in rows if row.rate.value == 10]))
    lost = [Row(r.set, r.image, r.curve, r.rate, r.nbytes, r.bpp, {"psnr": math.inf}) for r in rows]
    figure = points(lost)[0]["measures"]["psnr"]
    assert (figure["value"], figure["reason"]) == (None, "it is infinite for all images")


def test_several_sets_are_also_one() -> None:
    rows = synthetic(1, "jpeg", 2)
    other = [Row("t", r.image, r.curve, r.rate, r.nbytes, r.bpp, r.measures) for r in rows]
    records = points(rows + other)
    assert list(dict.fromkeys(record["set"] for record in records)) == ["s", "t", "all"]
    assert records[-1]["images"] == 4
    union = [Row("all", r.image, r.curve, r.rate, r.nbytes, r.bpp, r.measures) for r in rows]
    with pytest.raises(InvalidInputError, match="'all' names the union of all sets"):
        points(rows + union)


def test_both_anchors() -> None:
    rows = [
        Row(r.set, r.image, Curve(sender, receiver, 0.0), r.rate, r.nbytes, r.bpp, {"psnr": r.measures["psnr"] + gain})
        for sender, receiver, gain in (("a", "plain", 0), ("a", "net", 1), ("b", "plain", 2), ("b", "net", 2.5))
        for r in synthetic(1, "x", 2)
    ]
    senders = (PeerSender("a", encode_turbo), PeerSender("b", encode_turbo))
    run = experiment(Rate("quality", 10), senders=senders)
    document = result_of(run, Part(tuple(rows), ()), {"psnr": MEASURES["psnr"]}, anchor="a", plain="plain")
    pairs = [(r["sender"], r["receiver"], r["against"]["receiver"]) for r in document["bd_rates"]]
    assert pairs == [("a", "net", "plain"), ("b", "plain", "plain"), ("b", "net", "plain"), ("b", "net", "net")]
    assert all(record["value"] < 0 for record in document["bd_rates"])
