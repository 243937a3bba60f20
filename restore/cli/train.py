"""``restore train``: photographs in, weights out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from optcodec import require_packages
from optcodec.console.progress import progress_bar
from optcodec.console.show import json_option, print_json

__all__ = ["command"]

Folder = click.Path(path_type=Path, file_okay=False)


def _list(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Name the recipes of the package, and be done."""
    if wanted:
        from restore.training.recipe import shipped_recipes

        click.echo("\n".join(shipped_recipes()))
        ctx.exit()


@click.command()
@click.argument("recipe")
@click.option("-o", "--output", required=True, type=Folder, help="Folder of the run: log, checkpoint, network.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Name the recipes.")
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=Folder, help="Folder of the recipe's photographs; "
              "also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="Take about so long.")
@click.option("--start", type=click.Path(path_type=Path), metavar="FILE", help="Begin from this network.safetensors; "
              "stage 2 begins from that of stage 1.")  # fmt: skip
@click.option("--weights", type=Folder, help="Weights of the networks that stage 2 asks.  [default: DATA/weights]")
@click.option("--threads", type=click.IntRange(1), help="Threads of torch.  [default: torch's own choice]")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard's log, too.")
@json_option
def command(recipe: str, output: Path, as_json: bool, **options: Any) -> None:
    """Train a network as RECIPE says: the name of a shipped one, or a JSON file.

    A run that was stopped goes on when it is started again. At the end OUTPUT has network.safetensors.
    """
    summary = {"recipe": recipe, **_train(recipe, output, **options)}
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{summary['network']}: {summary['steps']} steps, {_text(summary['seen'])}")


def _train(name: str, output: Path, *, start: Path | None, threads: int | None, **options: Any) -> dict[str, Any]:
    """Run it, and say what came out."""
    from optcodec.shared import check_writable
    from restore.training.recipe import load_recipe

    recipe = load_recipe(name)
    check_writable(output / "network.safetensors")
    require_packages("torch", "safetensors.torch", *(["tensorboard"] if options["tensorboard"] else []))
    import torch

    from restore.networks.operations import configuration
    from restore.networks.weights import load_network
    from restore.training.log import read_log
    from restore.training.train import train

    if threads is not None:
        torch.set_num_threads(threads)
    network = None if start is None else load_network(start)
    if network is not None:
        config = configuration(network)  # of a quantized network a recipe has what it is of, as in a route
        recipe = dataclasses.replace(recipe, network=config.get("of", config))
    with progress_bar(None, note="steps") as tell:

        def progress(step: int, total: int, seen: dict[str, float]) -> None:
            tell(step, total=total, note=f"steps {_text(seen)}")

        train(recipe, folder=output, network=network, progress=progress, **options)
    row = {key: float(value) for key, value in read_log(output)[-1].items() if value}
    steps, seconds = int(row.pop("step")), row.pop("seconds")
    return {"network": str(output / "network.safetensors"), "steps": steps, "seconds": seconds, "seen": row}


def _text(seen: dict[str, float]) -> str:
    """The PSNRs, such as ``27.17 dB at q10``."""
    return ", ".join(f"{seen[name]:.2f} dB at {name[5:]}" for name in seen if name.startswith("psnr_"))
