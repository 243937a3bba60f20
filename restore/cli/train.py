"""``restore train``: train a restoration network on photographs, as a recipe describes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError, require_packages
from optcodec.console.progress import progress_bar
from optcodec.console.show import json_option, print_json

if TYPE_CHECKING:
    from torch import nn

    from restore.training.recipe import Recipe

__all__ = ["command"]

Folder = click.Path(path_type=Path, file_okay=False)


def _list(ctx: click.Context, option: click.Parameter, is_set: bool) -> None:
    """Print the names of the shipped recipes, and exit."""
    if is_set:
        from restore.training.recipe import shipped_recipes

        click.echo("\n".join(shipped_recipes()))
        ctx.exit()


@click.command(short_help="Train a restoring network as a recipe describes.")
@click.argument("recipe")
@click.option("-o", "--output", required=True, type=Folder, help="Folder for the log, the checkpoint and the "
              "trained network.")  # fmt: skip
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Print the names of the "
              "shipped recipes, and exit.")  # fmt: skip
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=Folder, help="Folder with the recipe's folders of "
              "photographs; also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="Approximate "
              "training time; sets the number of steps.  [default: the number of steps of the recipe]")  # fmt: skip
@click.option("--start", type=click.Path(path_type=Path), metavar="FILE", help="Start from the weights in this "
              "network.safetensors, for fine-tuning, or for stage 2 from the result of stage 1. If the recipe has more "
              "channels or blocks, and is the same otherwise, the network grows to that.")  # fmt: skip
@click.option("--weights", type=Folder, help="Folder with the weights of the networks behind the feature loss "
              "and LPIPS, for stage 2.  [default: DATA/weights]")  # fmt: skip
@click.option("--files", type=Folder, help="Folder where the coded photographs of a recipe with a mix of senders are "
              "kept; trainings can share it.  [default: files in the folder of --output]")  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(1), help="Number of threads of PyTorch.  [default: PyTorch's own choice]"
)
@click.option("--tensorboard", is_flag=True, help="Also write a log for TensorBoard.")
@json_option
def command(recipe: str, output: Path, as_json: bool, **options: Any) -> None:
    """Train a restoration network as RECIPE describes: the name of a shipped recipe, or a JSON file.

    A training that was interrupted continues when the same command is given again. At the end the folder of --output
    has the trained network, network.safetensors.
    """
    summary = {"recipe": recipe, **_train(recipe, output, **options)}
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{summary['network']}: {summary['steps']} steps, {_text(summary['seen'])}")


def _train(
    name: str,
    output: Path,
    *,
    data: Path,
    start: Path | None,
    threads: int | None,
    **options: Any,
) -> dict[str, Any]:
    """Run the training, and return its summary."""
    from optcodec.shared import check_writable
    from restore.training.recipe import load_recipe

    recipe = load_recipe(name)
    check_writable(output / "network.safetensors")
    require_packages("torch", "safetensors.torch", *(["tensorboard"] if options["tensorboard"] else []))
    import torch

    from restore.training.log import read_log
    from restore.training.material import DataFolders
    from restore.training.train import train

    if threads is not None:
        torch.set_num_threads(threads)
    recipe, network = (recipe, None) if start is None else _started(recipe, start)
    folders = DataFolders(data, options.pop("weights"), options.pop("files"))
    with progress_bar(None, note="steps") as tell:

        def progress(step: int, total: int, seen: dict[str, float]) -> None:
            tell(step, total=total, note=f"steps {_text(seen)}")

        train(recipe, folders, output, network=network, progress=progress, **options)
    row = {key: float(value) for key, value in read_log(output)[-1].items() if value}
    steps, seconds = int(row.pop("step")), row.pop("seconds")
    return {"network": str(output / "network.safetensors"), "steps": steps, "seconds": seconds, "seen": row}


def _started(recipe: Recipe, start: Path) -> tuple[Recipe, nn.Module]:
    """The recipe for the network of a file, grown where the recipe has a larger one, and that network."""
    from restore.networks.grow import grown
    from restore.networks.operations import configuration
    from restore.networks.weights import load_network

    network = grown(load_network(start), recipe.network)
    config = configuration(network)
    config = config.get("of", config)  # for a quantized network, the recipe has that of the float network
    kind, expected = config["network"], recipe.network["network"]
    if kind != expected:
        raise InvalidInputError(
            f"{start} has a network of the kind {kind}; the recipe trains one of the kind {expected}"
        )
    return dataclasses.replace(recipe, network=config), network


def _text(measured: dict[str, float]) -> str:
    """The PSNR values as text, such as ``27.17 dB at q10``."""
    return ", ".join(f"{measured[name]:.2f} dB at {name[5:]}" for name in measured if name.startswith("psnr_"))
