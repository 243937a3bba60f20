"""``restore caution``: teach a trained network to leave files alone that it would make worse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optcodec import require_packages
from optcodec.console.progress import progress_bar
from optcodec.console.show import json_option, print_json

__all__ = ["command"]

Folder = click.Path(path_type=Path, file_okay=False)


@click.command(short_help="Teach a trained network caution.")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of the "
              "network with caution, .safetensors.")  # fmt: skip
@click.option("--data", required=True, envvar="OPTCODEC_DATA", type=Folder, help="Folder with the recipe's folders of "
              "photographs; also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--files", type=Folder, help="Folder where coded photographs are kept; without it, they are coded again "
              "the next time.")  # fmt: skip
@click.option("--batches", type=click.IntRange(1), help="Batches of patches that the network is watched on.  [default: "
              "as many as for the shipped networks]")  # fmt: skip
@json_option
def command(network: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Teach NETWORK, the network.safetensors of a recipe with a mix of encoders, caution.

    A training makes files better on average, and some of them worse, such as drawings of high quality. Here a factor of
    the network's change is learned from what the network is told of a file, for which it counts much when a file gets
    worse; all other weights stay. The summary is on patches that took no part.
    """
    from optcodec.shared import check_writable

    check_writable(output)
    require_packages("torch", "safetensors.torch")
    record = _careful(network, output, **options)
    if as_json:
        print_json({"network": str(output), **record})
        return
    click.echo(
        f"{output}: of {record['held_out']:,} patches that took no part {record['harmed_after']} lose (before: "
        f"{record['harmed_before']}), the worst {record['least_db_after']:+.2f} dB ({record['least_db_before']:+.2f}); "
        f"on average {record['gain_db_after']:+.3f} dB ({record['gain_db_before']:+.3f})"
    )


def _careful(path: Path, output: Path, *, data: Path, files: Path | None, batches: int | None) -> dict[str, float]:
    """Teach the network, write it, and return what is known of it."""
    from restore.compress.route import trained_recipe
    from restore.networks.weights import load_network, save_network
    from restore.training.caution import BATCHES, careful
    from restore.training.material import DataFolders

    recipe, batches = trained_recipe(path), batches or BATCHES
    with progress_bar(batches, note="batches") as tell:
        network, record = careful(
            load_network(path), recipe, DataFolders(data, files=files), batches=batches, progress=tell
        )
    save_network(output, network, recipe=recipe.to_json())
    return record
