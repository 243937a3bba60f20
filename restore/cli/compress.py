"""``restore compress``: a trained DnCNN, made small and fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optcodec import require_packages
from optcodec.console.show import columns, json_option, print_json

__all__ = ["command"]

Folder = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=Folder, help="Gets a folder for each stage, and route.json.")
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=Folder, help="Folder of the photographs; also the "
              "environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--recipe", metavar="NAME|FILE", help="How to fine-tune.  [default: as the network was trained]")
@click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="Of each fine-tuning.")
@click.option("--width", type=click.IntRange(1), help="Filters of each inner layer in the end.  [default: 32]")
@click.option("--separable", is_flag=True, help="Train the depthwise-separable variant, too, as an ablation.")
@json_option
def command(network: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Compress NETWORK, the network.safetensors of a DnCNN.

    Four times a tenth of the filters is pruned, then the layers are slimmed, batch norms folded, and weights and values
    become INT8; after each stage that loses something comes a fine-tuning. Started again, it goes on where it stopped.
    """
    from optcodec.shared import check_writable

    check_writable(output / "route.json")
    require_packages("torch", "safetensors.torch", "onnx", "scipy.linalg", extra="torch")
    records = _compress(network, output, **options)
    if as_json:
        print_json({"stages": records})
        return
    psnr = [name for name in records[0] if name.startswith("psnr_")]
    header = ("stage", "parameters", "MAC a pixel", "bytes", *(f"dB at {name[5:]}" for name in psnr))
    rows = [
        (each["stage"], f"{each['parameters']:,}", f"{each['macs']:,.0f}", f"{each['bytes']:,}",
         *(f"{each[name]:.2f}" for name in psnr))
        for each in records
    ]  # fmt: skip
    click.echo(columns(header, rows))


def _compress(
    path: Path, folder: Path, *, data: Path, recipe: str | None, width: int | None, separable: bool, **options: Any
) -> list[dict[str, Any]]:
    """All stages; the name of the one that is run goes to stderr."""
    from restore.compress.route import Plan, compress
    from restore.training.recipe import load_recipe

    def announced(stage: str) -> None:
        click.echo(stage, err=True)

    return compress(
        path,
        folder,
        data,
        plan=Plan(separable=separable) if width is None else Plan(separable=separable, width=width),
        recipe=None if recipe is None else load_recipe(recipe),
        announced=announced,
        **options,
    )
