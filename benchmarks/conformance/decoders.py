"""Decoders of JPEG files: Python packages, programs of Debian, packages of npm, and small programs in ``programs``.

Each decodes the files IN/NAME.jpg into OUT/NAME.ppm, or writes to OUT/NAME.error why it did not. Its warnings are
written to OUT/NAME.warning. The version of a decoder that is not installed is None.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.conformance.browser import decode_in_chromium

SOURCES = Path(__file__).parent / "programs"
SECONDS = 240  # time limit for all files, none of which takes a second
# Messages of ffmpeg that are not about the file: on its own choice of a format, and addresses of its objects.
OF_ITSELF = re.compile(r".*deprecated pixel format used.*\n?|.*Last message repeated.*\n?| @ 0x[0-9a-f]+")
STB_HEADERS = (Path("/usr/include/stb/stb_image.h"), Path("/usr/local/include/stb/stb_image.h"))


@dataclass(frozen=True)
class Decoder:
    """A decoder of JPEG files that is compared with libjpeg-turbo.

    Parameters
    ----------
    name : str
        Name in the tables.
    version : str or None
        Version of the program or package, None if it is not installed.
    install : str
        The command that installs it.
    decode : callable
        Decodes all files of a folder; takes the paths of the folders IN and OUT.
    """

    name: str
    version: str | None
    install: str
    decode: Callable[[Path, Path], None]


def decoders() -> list[Decoder]:
    """All decoders, including those that are not installed."""
    return [*_packages(), *_programs(), *_of_npm(), *_built()]


def _packages() -> list[Decoder]:
    packages = {
        "Pillow": ("pillow", "pillow"),
        "OpenCV": ("opencv-python-headless", "opencv-python-headless"),
        "torchvision": ("torchvision", "torchvision"),
        "simplejpeg": ("simplejpeg", "simplejpeg"),
        "jpegli": ("ajpegli", "ajpegli"),
        "zune-jpeg": ("kornia_rs", "kornia_rs"),
        "libjpeg 6b": ("jpeglib", "jpeglib"),
        "libjpeg 9f": ("jpeglib", "jpeglib"),
    }
    program = [sys.executable, "-m", "benchmarks.conformance.python"]
    return [
        Decoder(name, _package_version(package), f"pip install {wheel}", partial(_run, [*program, name]))
        for name, (package, wheel) in packages.items()
    ]


def _package_version(package: str) -> str | None:
    try:
        installed = version(package)
    except PackageNotFoundError:
        return None
    if package == "pillow":
        from PIL import features

        return f"{installed}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    if package == "kornia_rs":
        return f"{_zune_version()}, kornia_rs {installed}"
    return f"{package} {installed}" if package in ("ajpegli", "jpeglib") else installed


def _zune_version() -> str:
    """The version of zune-jpeg, read from the paths of its source files in the panic messages of the library."""
    spec = find_spec("kornia_rs")
    assert spec is not None
    assert spec.origin is not None
    data = b"".join(path.read_bytes() for path in Path(spec.origin).parent.glob("*.so"))
    path_version = re.search(rb"zune-jpeg-(\d+\.\d+\.\d+)", data)
    return path_version[1].decode() if path_version else "unknown"


def _programs() -> list[Decoder]:
    """Programs that decode one file in each call, and Chromium."""
    chromium = shutil.which("chromium") or "chromium"
    convert = "magick" if shutil.which("magick") else "convert"
    return [
        Decoder(
            "djpeg",
            output_of(["djpeg", "-version"], r"(libjpeg-turbo) version (\S+)"),
            "apt-get install libjpeg-turbo-progs",
            partial(_one_by_one, ["djpeg", "-pnm", "-outfile", "OUT", "IN"]),
        ),
        _ffmpeg("ffmpeg", "ffmpeg", "apt-get install ffmpeg"),
        _ffmpeg("ffmpeg (imageio)", _ffmpeg_of_imageio(), "pip install imageio-ffmpeg"),
        Decoder(
            "ImageMagick",
            output_of([convert, "-version"], r"ImageMagick (\S+)"),
            "apt-get install imagemagick",
            partial(_one_by_one, [convert, "IN", "-colorspace", "sRGB", "-depth", "8", "OUT"]),
        ),
        Decoder(
            "Chromium",
            output_of([chromium, "--version"], r"Chromium (\S+)"),
            "apt-get install chromium",
            partial(decode_in_chromium, chromium, SOURCES / "page.html"),
        ),
    ]


def _ffmpeg(name: str, program: str, install: str) -> Decoder:
    """ffmpeg with options for an accurate conversion to RGB; its default conversion is fast and inaccurate."""
    accurate = ["-sws_flags", "accurate_rnd+full_chroma_int+bicubic", "-pix_fmt", "rgb24"]
    command = [program, "-v", "warning", "-nostdin", "-i", "IN", *accurate, "-update", "1", "OUT"]
    return Decoder(
        name, output_of([program, "-version"], r"ffmpeg version (\S+)"), install, partial(_one_by_one, command)
    )


def _ffmpeg_of_imageio() -> str:
    """Path of the ffmpeg program in the package imageio_ffmpeg, or a name that no program has if it is missing."""
    if find_spec("imageio_ffmpeg") is None:
        return "ffmpeg-of-imageio"
    import imageio_ffmpeg

    path: str = imageio_ffmpeg.get_ffmpeg_exe()
    return path


def _of_npm() -> list[Decoder]:
    """Packages of npm that node finds in the folder NODE_PATH."""
    npm_decoders = []
    for name, package in {"sharp": "sharp", "jpeg-js": "jpeg-js", "pdf.js": "pdfjs-dist"}.items():
        expression = (
            "require('sharp').versions.sharp" if name == "sharp" else f"require('{package}/package.json').version"
        )
        installed = output_of(["node", "-e", f"console.log('version ' + {expression})"], r"version (\S+)")
        install = f"npm install {package}" + ("@4" if name == "pdf.js" else "")
        npm_decoders.append(
            Decoder(name, installed, install, partial(_run, ["node", str(SOURCES / "decode.cjs"), package]))
        )
    return npm_decoders


def _built() -> list[Decoder]:
    """Small programs around the decoders of Java, Go and stb, compiled when they are run."""
    stb = next((path for path in STB_HEADERS if path.is_file()), None)
    has_stb = stb is not None and shutil.which("gcc")
    stb_version = re.search(r"stb_image - v(\S+)", stb.read_text("utf-8")) if stb is not None and has_stb else None
    return [
        Decoder(
            "Java ImageIO",
            output_of(["javac", "-version"], r"javac (\S+)"),
            "apt-get install default-jdk-headless",
            partial(_run, ["java", str(SOURCES / "Decode.java")]),
        ),
        Decoder(
            "Go image/jpeg",
            output_of(["go", "version"], r"go version go(\S+)"),
            "apt-get install golang-go",
            partial(_run, ["go", "run", str(SOURCES / "decode.go")]),
        ),
        Decoder(
            "stb_image",
            stb_version[1] if stb_version else None,
            "apt-get install libstb-dev gcc",
            _decode_with_stb,
        ),
    ]


def _decode_with_stb(source: Path, target: Path) -> None:
    program = target / "stb"
    subprocess.run(["gcc", "-O2", "-o", program, SOURCES / "stb.c", "-lm"], check=True)
    _run([str(program)], source, target)


def output_of(command: list[str], pattern: str) -> str | None:
    """The groups of a pattern in the output of a command; None if the program or the pattern is missing."""
    if shutil.which(command[0]) is None:
        return None
    output = subprocess.run(command, capture_output=True, text=True, timeout=60)
    match = re.search(pattern, output.stdout + output.stderr)
    return " ".join(match.groups()) if match else None


def _run(command: list[str], source: Path, target: Path) -> None:
    """Run a program that decodes all files in one call; if it fails, the files without a result count as refused."""
    result = subprocess.run([*command, str(source), str(target)], capture_output=True, text=True, timeout=SECONDS)
    if result.returncode:
        for path in source.glob("*.jpg"):
            if not any((target / f"{path.stem}{suffix}").exists() for suffix in (".ppm", ".error")):
                text = f"exit status {result.returncode}: {result.stderr.strip()[-300:]}"
                (target / f"{path.stem}.error").write_text(text, "utf-8")


def _one_by_one(command: list[str], source: Path, target: Path) -> None:
    """Run a program for each file, with the paths in place of its arguments IN and OUT.

    The exit status alone does not mean that a file was refused: some programs return another status after a warning.
    """
    for path in sorted(source.glob("*.jpg")):
        out = target / f"{path.stem}.ppm"
        files = {"IN": str(path), "OUT": str(out)}
        arguments = [files.get(argument, argument) for argument in command]
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=os.environ | {"LC_ALL": "C"})
        message = OF_ITSELF.sub("", result.stderr).strip()
        if not out.exists() or not out.stat().st_size:
            out.unlink(missing_ok=True)
            out.with_suffix(".error").write_text(f"exit status {result.returncode}: {message}", "utf-8")
        elif message:
            out.with_suffix(".warning").write_text(message, "utf-8")
