"""``restore export``: a trained network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from optcodec import InvalidInputError, require_packages
from optcodec.console.show import json_option, print_json

__all__ = ["command"]


@click.command()
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("chrominance", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A file .onnx, or "
              "a model: NAME.json, with the .onnx files beside it.")  # fmt: skip
@click.option("--int8", is_flag=True, help="8-bit weights and values, calibrated on patches of the photographs that "
              "the network was trained on.")  # fmt: skip
@click.option("--data", envvar="OPTCODEC_DATA", type=click.Path(path_type=Path, file_okay=False), help="Folder of "
              "those photographs; also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--patches", type=click.IntRange(1), help="To calibrate on.  [default: 1024]")
@json_option
def command(network: Path, chrominance: Path | None, output: Path, as_json: bool, **options: Any) -> None:
    """Write NETWORK, a network.safetensors, as an ONNX file of any height and width, or as a model.

    A model is what "restore run --model NAME.json" takes: NETWORK for luminance, and perhaps one for CHROMINANCE.
    A network that was fine-tuned with 8 bits, as by "restore compress", becomes an INT8 file as it is.
    """
    from optcodec.shared import check_writable, write_whole

    as_model = output.suffix.lower() == ".json"
    if chrominance is not None and not as_model:
        raise InvalidInputError(f"two networks make a model; expected an output NAME.json, got {output}")
    check_writable(output)
    require_packages("torch", "safetensors.torch", "onnx", "scipy.linalg", extra="torch")
    from restore.export.model_files import write_model
    from restore.export.onnx import to_onnx
    from restore.networks.count import count

    made = [_network(path, **options) for path in (network, chrominance) if path is not None]
    if as_model:
        nbytes = write_model(output, *made)
    else:
        data = to_onnx(made[0])
        nbytes = len(data)
        write_whole(output, data)
    sizes = [count(each) for each in made]
    if as_json:
        inputs = [str(path) for path in (network, chrominance) if path is not None]
        networks = [{"input": path, **size.to_json()} for path, size in zip(inputs, sizes, strict=True)]
        print_json({"output": str(output), "nbytes": nbytes, "networks": networks})
    else:
        click.echo(f"{output}: {nbytes:,} bytes, {'; '.join(map(str, sizes))}")


def _network(path: Path, *, int8: bool, data: Path | None, patches: int | None) -> Any:
    """The network of a file, quantized if that is asked for."""
    from restore.networks.quantized import Quantized
    from restore.networks.weights import load_network

    network = load_network(path)
    if not int8:
        if patches is not None:
            raise InvalidInputError(f"--patches {patches} is to calibrate; expected it with --int8")
        return network
    if isinstance(network, Quantized):
        raise InvalidInputError(f"{path} has 8-bit values already; expected it without --int8")
    if data is None:
        raise InvalidInputError("--int8 calibrates on photographs; expected --data or OPTCODEC_DATA")
    from restore.compress.quantize import calibration_patches, quantize
    from restore.compress.route import trained_recipe

    return quantize(network, calibration_patches(trained_recipe(path), data, count=patches or 1024))
