"""Recipes of trainings, and their JSON files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from optcodec import InvalidInputError
from restore.networks import build
from restore.training.recipe import Recipe, load_recipe, shipped_recipes
from tests.train_helpers import SMALL


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_make_a_network_and_survive_json(name: str) -> None:
    how = load_recipe(name)
    text = json.dumps(how.to_json())
    assert json.dumps(Recipe.from_json(json.loads(text)).to_json()) == text
    assert build(how.network).config.items() >= how.network.items()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schedule": "step"}, "schedule is one of cosine, halving, plateau; got 'step'"),
        ({"optimizer": "sgd"}, "optimizer is one of adam, muon; got 'sgd'"),
        ({"precision": "float16"}, "precision is one of float32, bfloat16; got 'float16'"),
        ({"side": 20}, "side is a multiple of 8, the blocks of JPEG; got 20"),
        ({"count": 0}, "count is at least 1; got 0"),
        ({"rate": 0.0}, "rate is above 0; got 0.0"),
        ({"perceptual": -0.1}, "perceptual is at least 0; got -0.1"),
        ({"adversarial": float("nan")}, "adversarial is at least 0; got nan"),
        ({"seed": -1}, "seed is at least 0; got -1"),
        ({"steps": 2.5}, "steps is a whole number; got 2.5"),
        ({"network": "conditioned"}, "network and photographs are objects; got 'conditioned'"),
        ({"photographs": ["Train400"]}, "network and photographs are objects"),
        ({"epochs": 3}, "the recipe does not fit: .*epochs"),
        ({"mix": {"senders": {"pillow": 1}}}, 'the loss "relative" is that of a mix .*; expected both, or neither'),
        ({"mix": {"senders": {"pillow": 1}}, "loss": "balanced"}, 'the loss "relative" is that of a mix'),
        ({"loss": "relative"}, 'the loss "relative" is that of a mix'),
        ({"mix": {"senders": {"gif": 1}}, "loss": "relative"}, "senders are pillow, .*; got 'gif'"),
        ({"mix": {"encoders": {}}, "loss": "relative"}, "the recipe does not fit: .*encoders"),
        (
            {"mix": {"senders": {"pillow": 1}}, "loss": "relative", "problem": "sr4"},
            "JPEG alone; got the problem 'sr4'",
        ),
        ({"luminance": "tiny"}, "luminance is for a network with after_luminance; expected both, or neither"),
        ({"network": {**SMALL, "after_luminance": True}}, "luminance is for a network with after_luminance"),
        (
            {"network": {**SMALL, "after_luminance": True}, "luminance": "tiny"},
            "luminance is for a mix of whole files; got 'tiny' without a mix",
        ),
        ({"validation": None}, "validation is an object; got None"),
        ({"degradation": None}, "degradation is an object; got None"),
        ({"luminance": 5}, "luminance is a name or a path; got 5"),
        ({"validation": {"senders": ["gif"]}}, r"validation: senders are pillow, .*, at least one; got \['gif'\]"),
        ({"validation": {"senders": []}}, r"validation: senders are pillow, .*, at least one; got \[\]"),
        (
            {"validation": {"senders": ["pillow", "psnr"]}},
            r"validation: senders are for a mix of whole files; got \['pillow', 'psnr'\] without a mix",
        ),
        ({"validation": {"every": 0}}, "validation: every is at least 1; got 0"),
        ({"validation": {"qualities": ()}}, "validation: qualities are 1..100, at least one; got none"),
    ],
)
def test_recipes_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Recipe.from_json({"network": SMALL, **wrong})


def test_missing_recipes_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"JSON file or one of .*default.*, tiny.*; cannot read 'nothing'"):
        load_recipe("nothing")
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(InvalidInputError, match="is not a JSON file"):
        load_recipe(str(tmp_path / "recipe.json"))
    (tmp_path / "recipe.json").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InvalidInputError, match=r"cannot read .*json': not text"):
        load_recipe(str(tmp_path / "recipe.json"))
    (tmp_path / "recipe.json").write_text('["abc"]')
    with pytest.raises(InvalidInputError, match="the recipe does not fit"):
        load_recipe(str(tmp_path / "recipe.json"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network": "conditioned", "width": -1}, "network 'conditioned': .*negative"),
        ({"network": ["conditioned"]}, r"network is one of .*conditioned, .*; got \['conditioned'\]"),
        (7, "network is one of .*conditioned, .*; got None"),
    ],
)
def test_bad_configurations_of_networks_are_refused(config: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        build(config)


@pytest.mark.parametrize("name", ["tiny", "default"])
def test_chrominance_is_trained_as_luminance_is_and_after_it(name: str) -> None:
    luminance, chrominance = load_recipe(name), load_recipe(f"{name}-chroma")
    assert chrominance.luminance == name
    same = {"network": luminance.network, "luminance": "", "steps": luminance.steps}
    assert dataclasses.replace(chrominance, **same) == luminance


def test_stage_2_differs_from_the_training_of_dncnn_in_its_losses() -> None:
    first, gan = load_recipe("dncnn"), load_recipe("gan")
    assert gan.adversarial > 0
    assert 0.05 <= gan.perceptual <= 0.2
    for name in ("network", "photographs", "degradation", "side", "stride", "count", "loss", "precision"):
        assert getattr(gan, name) == getattr(first, name)
    assert dataclasses.replace(gan, adversarial=0.0) == load_recipe("perceptual")


def test_the_networks_of_the_paper_s_table_learn_from_the_same_degradations() -> None:
    full, dual = load_recipe("dncnn").degradation, load_recipe("dual").mix
    assert dual is not None
    assert (full.qualities, full.sigmas) == (dual.qualities, dual.sigmas)
    assert load_recipe("paper").degradation == full
