"""Options that ``optcodec fit`` refuses, in one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accuracy_helpers import photographs
from tests.cli_helpers import refusal

pytest.importorskip("torch")
NETWORK = "tests.accuracy_helpers:classifier"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected a limit: --max-loss, such as 0.5%, --max-kl or --min-agreement; got none"),
        (["--min-agreement", 101], "min_agreement is a percentage up to 100, got 101.0"),
        (
            ["--min-agreement", 90, "--agreement", "faces"],
            "--agreement is boxes or package.module:function, got 'faces'",
        ),
        (["--max-kl", 1, "--agreement", "boxes"], "--max-kl is for outputs of classes; with --agreement, expected "),
        (["--min-agreement", 9, "--agreement", "boxes", "--labels", "folders"], "--labels is for outputs of classes; "),
        (
            ["--min-agreement", 9, "--agreement", "boxes", "--methods", "jpeg,loop"],
            "the method loop is for classifiers, and not with --agreement; got ",
        ),
        (["--max-loss", "0.5"], "--max-loss is a number of percentage points such as 0.5%, got '0.5'"),
        (["--max-loss", "much%"], "--max-loss is a number of percentage points such as 0.5%, got 'much%'"),
        (["--max-loss", "-1%"], "max_loss_points is a finite number from 0 on, got -1.0"),
        (["--max-loss", "nan%"], "max_loss_points is a finite number from 0 on, got nan"),
        (["--max-kl", "inf"], "max_kl is a finite number from 0 on, got inf"),
        (["--max-kl", 1, "--methods", "jpeg,magic"], "--methods is a list of jpeg, psnr, dnn, dnn+trellis, dnn+crop, "),
        (["--max-kl", 1, "--methods", "jpeg,jpeg"], "each once; got 'jpeg,jpeg'"),
        (["--max-kl", 1, "--methods", ""], "--methods is a list of jpeg, psnr, dnn, "),
        (["--max-kl", 1, "--samplings", "4:1:1"], "--samplings is a list of 4:4:4, 4:2:2, 4:2:0, 4:4:0, each once; "),
        (["--max-kl", 1, "--sizes", "small"], "--sizes is a list of full and lengths in pixels, each once; got 'small"),
        (["--max-kl", 1, "--sizes", "0"], "--sizes is a list of full and lengths in pixels, each once; got '0'"),
        (
            ["--max-kl", 1, "--qualities", "9" * 5000],
            "--qualities is a list of whole numbers in 1..100, each once; got",
        ),
        (["--max-kl", 1, "--qualities", "50,101"], "--qualities is a list of whole numbers in 1..100, each once; got"),
        (["--max-kl", 1, "--labels", "none.csv"], "labels are 'self', 'folders' or a CSV file; cannot read 'none.csv'"),
        (["--max-kl", 1, "--data", "none"], "expected a folder of images, got 'none'"),
        (["--max-kl", 1, "--profile", "none"], "'none'"),
        (["--max-kl", 1, "--device", "tpu9"], "cannot use device 'tpu9'"),
        (["--max-kl", 1, "-o", "/proc/none/plan.json"], "/proc/none"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: list[object], message: str) -> None:
    photographs(tmp_path / "photos", 2)
    plan = tmp_path / "plan.json"
    assert message in refusal("fit", "--network", NETWORK, "--data", tmp_path / "photos", "-o", plan, *options)
    assert not plan.exists()
