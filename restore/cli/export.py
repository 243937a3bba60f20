"""``restore export``: a trained network as an ONNX file, a model, or a TFLite file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeAlias

import click

from optcodec import InvalidInputError, require_packages
from optcodec.console.files import check_suffix
from optcodec.console.show import json_option, print_json

__all__ = ["command"]

Size: TypeAlias = tuple[int, int]
_SUFFIXES = (".onnx", ".json", ".tflite")


def _width_and_height(ctx: click.Context, option: click.Parameter, text: str | None) -> Size | None:
    """Parse --size."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text, re.ASCII)
    if match is None or any(int(side) % 16 for side in match.groups()):
        raise click.BadParameter(f"expected WIDTHxHEIGHT in pixels, multiples of 16, got {text!r}")
    return int(match[1]), int(match[2])


@click.command(short_help="Write a network as an ONNX file or as a model.")
@click.argument("network", type=click.Path(path_type=Path))
@click.argument("chrominance", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="An .onnx file; "
              "NAME.json for a model, whose .onnx files are written beside it; or a .tflite file.")  # fmt: skip
@click.option("--size", callback=_width_and_height, metavar="WIDTHxHEIGHT", help="Size in pixels of the images that a "
              ".tflite file takes, multiples of 16.")  # fmt: skip
@click.option("--int8", is_flag=True, help="Quantize weights and activations to 8 bits, calibrated on patches of the "
              "photographs that the network was trained on.")  # fmt: skip
@click.option("--data", envvar="OPTCODEC_DATA", type=click.Path(path_type=Path, file_okay=False), help="Folder with "
              "the folders of those photographs; also the environment variable OPTCODEC_DATA.")  # fmt: skip
@click.option("--patches", type=click.IntRange(1), help="Number of patches for the calibration.  [default: 1024]")
@json_option
def command(
    network: Path, chrominance: Path | None, output: Path, size: Size | None, as_json: bool, **options: Any
) -> None:
    """Export NETWORK, a network.safetensors, as an ONNX file or as a model for "restore run".

    The ONNX files take images of any height and width. A model (-o NAME.json, for "restore run --model NAME.json")
    consists of NETWORK for luminance and optionally a second network for CHROMINANCE; it takes the noise (--sigma)
    that NETWORK was trained for. A network that has been quantized to 8 bits already, as by "restore compress", becomes
    an INT8 file without --int8. A .tflite file, for LiteRT on phones, has 32-bit floats and takes images of one --size.
    """
    from optcodec.shared import check_writable

    check_suffix(output, _SUFFIXES)
    kind = output.suffix.lower()
    if chrominance is not None and kind != ".json":
        raise InvalidInputError(f"two networks are written as a model; expected an output NAME.json, got {output}")
    if (size is not None) != (kind == ".tflite"):
        raise InvalidInputError(f"a .tflite file takes images of one --size, others of any size; got {output}")
    if size is not None and options["int8"]:
        raise InvalidInputError("a .tflite file has 32-bit floats; expected no --int8")
    check_writable(output)
    converter, extra = ((), "torch") if size is None else (("litert_torch",), "tflite")
    require_packages("torch", "safetensors.torch", "onnx", "scipy.linalg", *converter, extra=extra)
    from restore.networks.count import count

    networks = [_network(path, **options) for path in (network, chrominance) if path is not None]
    nbytes = _write(output, networks, size, max_sigma=_max_sigma(network))
    sizes = [count(network) for network in networks]
    if as_json:
        inputs = [str(path) for path in (network, chrominance) if path is not None]
        records = [{"input": path, **size.to_json()} for path, size in zip(inputs, sizes, strict=True)]
        print_json({"output": str(output), "nbytes": nbytes, "networks": records})
    else:
        click.echo(f"{output}: {nbytes:,} bytes, {'; '.join(map(str, sizes))}")


def _write(output: Path, networks: list[Any], size: Size | None, *, max_sigma: float) -> int:
    """Write networks as a file of the kind of the output, and return the number of bytes."""
    from optcodec.shared import write_whole

    if output.suffix.lower() == ".json":
        from restore.export.model_files import write_model

        return write_model(output, *networks, max_sigma=max_sigma)
    if size is None:
        from restore.export.onnx import to_onnx

        data = to_onnx(networks[0])
    else:
        from restore.export.tflite import to_tflite

        data = to_tflite(networks[0], (size[1], size[0]))
    write_whole(output, data)
    return len(data)


def _max_sigma(path: Path) -> float:
    """Largest noise that a network was trained for, by the recipe in its file; 0 if there is none."""
    from restore.compress.route import trained_recipe

    try:
        return trained_recipe(path).max_sigma
    except InvalidInputError:
        return 0.0


def _network(path: Path, *, int8: bool, data: Path | None, patches: int | None) -> Any:
    """Load the network of a file, and quantize it where --int8 is set."""
    from restore.networks.quantized import Quantized
    from restore.networks.weights import load_network

    network = load_network(path)
    if not int8:
        if patches is not None:
            raise InvalidInputError(f"--patches {patches} is for the calibration of --int8; expected it with --int8")
        return network
    if isinstance(network, Quantized):
        raise InvalidInputError(f"{path} is quantized to 8 bits already; expected no --int8")
    if data is None:
        raise InvalidInputError("--int8 calibrates on photographs; expected --data or OPTCODEC_DATA")
    from restore.compress.quantize import calibration_patches, quantize
    from restore.compress.route import trained_recipe
    from restore.training.material import DataFolders

    return quantize(network, calibration_patches(trained_recipe(path), DataFolders(data), count=patches or 1024))
