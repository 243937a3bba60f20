"""Small utility profiles and QP-NETs, for the tests of block qualities and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from optcodec import Curves, UtilityProfile
from optcodec.blocks.curves import QUALITIES
from optcodec.blocks.profile import build_profile
from optcodec.blocks.provenance import UtilityProvenance
from optcodec.blocks.qpnet import QpNet, save_qpnet, weight_shapes
from tests.cli_helpers import photograph


def small_profile(groups: int = 4, *, subsampling: str = "4:2:0", **fitted: Any) -> UtilityProfile:
    """A profile of groups whose bytes rise and whose errors fall with quality, differently in each group."""
    random = np.random.default_rng(7)
    steps = random.random((3, 12 * groups, len(QUALITIES))) * np.geomspace(0.2, 5, 12 * groups)[:, None]
    nbytes, before, after = np.cumsum(steps, axis=2)
    provenance = UtilityProvenance(task="test", subsampling=subsampling)
    left = np.linspace(0.1, 0.9, 12 * groups)[:, None]
    curves = Curves(np.array(QUALITIES), 3 + 9 * nbytes, 300 / (1 + before), 200 * left / (1 + after))
    profile = build_profile("small", [curves], groups=groups, provenance=provenance)
    arrays = {name: getattr(profile, name) for name in ("nbytes", "psnr_db", "before", "after", "utility", "borders")}
    return UtilityProfile(profile.name, profile.qualities, **arrays, provenance=provenance, **fitted)


def small_net(groups: int = 4) -> QpNet:
    """A QP-NET with random weights; its last layer is set so that `photograph` has blocks of all groups."""
    random = np.random.default_rng(3)
    weights = {
        name: random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape) for name, shape in weight_shapes(groups).items()
    }
    weights["dense.weight"] *= 0.01  # so that no share is 0
    logits = np.log(QpNet(groups, weights, {}, {}).distributions(photograph(96, 128)).reshape(-1, groups))
    factor = 2 / logits.std(axis=0).mean()
    weights["dense.weight"] *= factor
    weights["dense.bias"] = factor * (weights["dense.bias"] - logits.mean(axis=0))
    return QpNet(groups, weights, {}, {})


def save_both(path: Path, profile: UtilityProfile, net: QpNet | None = None) -> str:
    """Write the files NET.json and NET.npz; return their name on the command line, ``qpnet:NET``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile.save(f"{path}.json")
    save_qpnet(net or small_net(profile.groups), f"{path}.npz")
    return f"qpnet:{path}"
