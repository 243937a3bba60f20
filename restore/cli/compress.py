"""``restore compress``: prune and quantize a trained DnCNN, so that it becomes small and fast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from optcodec import require_packages
from optcodec.console.show import columns, json_option, print_json

__all__ = ["command"]

Folder = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=Folder, help="Folder to write to: one folder for each "
              "stage, and route.json with the results of all stages.")  # fmt: skip
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=Folder, help="Folder with the recipe's folders of "
              "photographs; also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Recipe for the fine-tunings, such as paper-tuning.  [default: the recipe that the network was trained with, "
    "with smaller learning rates]",
)
@click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="Time for each "
              "fine-tuning.  [default: the number of steps of the recipe]")  # fmt: skip
@click.option(
    "--width", type=click.IntRange(1), help="Filters of each inner layer of the final network.  [default: 32]"
)
@click.option(
    "--separable",
    is_flag=True,
    help="Also train a variant with depthwise-separable convolutions, "
    "for comparison (an ablation; the other stages do not depend on it).",
)
@json_option
def command(network: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Compress NETWORK, the network.safetensors of a DnCNN.

    The stages are: prune a tenth of the original filters, four times; slim the layers to --width filters; fold the
    batch norms into the convolutions; quantize weights and activations to 8 bits (INT8). A fine-tuning follows every
    stage that changes the output. If the command was interrupted, the same command continues with the first stage that
    is missing.
    """
    from optcodec.shared import check_writable

    check_writable(output / "route.json")
    require_packages("torch", "safetensors.torch", "onnx", "scipy.linalg", extra="torch")
    records = _compress(network, output, **options)
    if as_json:
        print_json({"stages": records})
        return
    psnr = [name for name in records[0] if name.startswith("psnr_")]
    header = ("stage", "parameters", "MAC per pixel", "bytes", *(f"dB at {name[5:]}" for name in psnr))
    rows = [
        (stage["stage"], f"{stage['parameters']:,}", f"{stage['macs']:,.0f}", f"{stage['bytes']:,}",
         *(f"{stage[name]:.2f}" for name in psnr))
        for stage in records
    ]  # fmt: skip
    click.echo(columns(header, rows))


def _compress(
    path: Path, folder: Path, *, data: Path, recipe: str | None, width: int | None, separable: bool, **options: Any
) -> list[dict[str, Any]]:
    """Run all stages; the name of each goes to stderr when it begins."""
    from restore.compress.route import Plan, compress
    from restore.training.recipe import load_recipe

    def announce(stage: str) -> None:
        click.echo(stage, err=True)

    plan = Plan(separable=separable)
    if width is not None:
        plan = replace(plan, width=width)
    if recipe is None:
        return compress(path, folder, data, plan=plan, announce=announce, **options)
    plan = replace(plan, rate=None, quantized_rate=None)
    return compress(path, folder, data, plan=plan, recipe=load_recipe(recipe), announce=announce, **options)
