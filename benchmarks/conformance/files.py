"""Files that our encoder writes with every option, each an example of some kind of file, for other decoders to read."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from optcodec import (
    Bpp,
    CoefficientImage,
    MatchQuality,
    MaxBytes,
    Metadata,
    QualityField,
    blocks_by,
    encode,
    load_profile,
    load_utility_profile,
    read_jpeg,
    write_jpeg,
)

Pixels = npt.NDArray[np.uint8]
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")
PROGRESSIVE = {"baseline": False, "progressive": True}
TWO_SCANS = "two scans (--scans apart)"
TUNINGS = ("psnr", "ssim", "people")
# (width, height): smaller than a block, a whole block, a whole MCU, just above one, and narrow strips.
SIZES = ((1, 1), (7, 5), (8, 8), (16, 16), (17, 33), (1, 300), (300, 1), (3, 2000), (2000, 3), (33, 1025))


@dataclass(frozen=True)
class OurFile:
    """A file that our encoder wrote: its name, the kind of file that it is an example of, and its bytes."""

    name: str
    kind: str
    data: bytes

    @cached_property
    def group(self) -> str:
        """One of `GROUPS`: says whether decoders interpolate chrominance or convert from four components."""
        image = read_jpeg(self.data)
        if len(image.components) == 4:
            return "four components"
        return "full resolution" if len({(part.h, part.v) for part in image.components}) == 1 else "subsampled"


def our_files(photos: dict[str, Pixels], foreign: dict[str, bytes]) -> Iterator[OurFile]:
    """All files that the decoders read.

    Parameters
    ----------
    photos : dict of str to ndarray of uint8, shape (H, W, 3)
        RGB photographs by name, at least two.
    foreign : dict of str to bytes
        Files of other encoders by name, which are transcoded.
    """
    photo = list(photos.values())[1]
    part = photo[100:287, 200:451]  # 251x187: MCUs are cut at both sides
    yield from _plain(part)
    yield from _restarts(part)
    yield from _designed(part)
    yield from _optimized(part)
    yield from _colours(part)
    yield from _metadata(part)
    yield from _sizes(photo)
    yield from _extremes()
    yield from _two_scans(part)
    for name, pixels in photos.items():
        for quality in (10, 50, 75, 95):
            yield OurFile(f"{name}, quality {quality}", "photographs, defaults", encode(pixels, quality=quality).data)
        data = encode(pixels, quality=75, effort=3, tune="people", progressive=True).data
        yield OurFile(f"{name}, effort 3", "photographs, effort 3, progressive", data)
    for name, data in foreign.items():
        yield from _transcoded(name, data)


def _transcoded(name: str, data: bytes) -> Iterator[OurFile]:
    """A file of another encoder, transcoded without loss."""
    image = read_jpeg(data)
    kind = "transcoded from other encoders"
    if any(not table.is_baseline for table in image.tables):
        kind = "transcoded, steps above 255 (extended sequential)"
    elif image.subsampling not in SAMPLINGS:
        kind = "transcoded, unusual sampling factors"
    for coding, progressive in PROGRESSIVE.items():
        yield OurFile(f"{name}, transcoded, {coding}", kind, write_jpeg(image, progressive=progressive))


def _plain(part: Pixels) -> Iterator[OurFile]:
    """Every quality and sampling with default tables."""
    for coding, progressive in PROGRESSIVE.items():
        for quality in (1, 30, 75, 95, 100):
            settings: dict[str, Any] = {"quality": quality, "progressive": progressive}
            data = encode(part[..., 1].copy(), **settings).data
            yield OurFile(f"grey, quality {quality}, {coding}", f"{coding}, grey", data)
            for sampling in SAMPLINGS:
                data = encode(part, subsampling=sampling, **settings).data
                yield OurFile(f"{sampling}, quality {quality}, {coding}", f"{coding}, {sampling}", data)
        for sampling in SAMPLINGS:
            data = encode(part, subsampling=sampling, progressive=progressive, dct="exact").data
            yield OurFile(f"{sampling}, exact DCT, {coding}", "exact DCT", data)


def _restarts(part: Pixels) -> Iterator[OurFile]:
    """Restart intervals from one MCU to more than the image has."""
    for coding, progressive in PROGRESSIVE.items():
        for sampling in ("4:4:4", "4:2:0"):
            for interval in (1, 7, 16, 65535):
                data = encode(part, subsampling=sampling, progressive=progressive, restart_interval=interval).data
                name = f"{sampling}, restart interval {interval}, {coding}"
                yield OurFile(name, f"restart intervals, {coding}", data)


def _designed(part: Pixels) -> Iterator[OurFile]:
    """Designed tables of each method and target."""
    profile = load_profile("mobilenet_v2")
    for method in ("opts", "rdopt"):
        data = encode(part, profile=profile, target=MatchQuality(60), method=method).data
        yield OurFile(f"{method}, profile", "designed tables", data)
    yield OurFile("deepn, 2 bpp", "designed tables", encode(part, method="deepn", target=Bpp(2.0)).data)
    yield OurFile("rdopt, 6000 bytes", "designed tables", encode(part, method="rdopt", target=MaxBytes(6000)).data)


def _optimized(part: Pixels) -> Iterator[OurFile]:
    """Effort 3 for all tunings, and weights by a network, a receiver, a region and blocks."""
    network = load_profile("mobilenet_v2_420")
    mask = np.zeros(part.shape[:2], np.uint8)
    mask[40:120, 60:200] = 255
    for coding, progressive in PROGRESSIVE.items():
        variants: dict[str, dict[str, Any]] = {tune: {"tune": tune} for tune in TUNINGS}
        variants |= {"a network": {"tune": network}, "a receiver": {"tune": load_utility_profile("deblock")}}
        variants |= {
            "a region": {"field": QualityField.from_mask(mask)},
            "blocks of x264": {"blocks": blocks_by("x264")},
        }
        variants |= {"blocks of a QP-NET": {"blocks": blocks_by("qpnet:deblock")}}
        for name, weights in variants.items():
            for sampling in ("4:4:4", "4:2:0") if name in TUNINGS else (None,):
                data = encode(part, effort=3, **weights, subsampling=sampling, progressive=progressive).data
                title = f"effort 3 for {name}, {sampling or 'its sampling'}, {coding}"
                yield OurFile(title, f"effort 3, {coding}", data)


def _colours(part: Pixels) -> Iterator[OurFile]:
    """RGB marked by an Adobe segment, CMYK (both read from files of Pillow), and YCCK composed of two encodes."""
    rgb, cmyk = io.BytesIO(), io.BytesIO()
    Image.fromarray(part).save(rgb, "JPEG", quality=80, keep_rgb=True)
    Image.fromarray(part).convert("CMYK").save(cmyk, "JPEG", quality=80)
    colour = read_jpeg(encode(part, quality=80, subsampling="4:2:0").data)
    key = read_jpeg(encode(np.full(part.shape[:2], 200, np.uint8), quality=80).data).components[0]
    (luminance, *_), table = colour.components, colour.components[0].table
    black = replace(key, id=4, h=luminance.h, v=luminance.v, table=table)
    ycck = CoefficientImage(
        colour.width, colour.height, (*colour.components, black), colour.tables, Metadata(adobe_transform=2)
    )
    images = {"RGB (Adobe)": read_jpeg(rgb.getvalue()), "CMYK": read_jpeg(cmyk.getvalue()), "YCCK 4:2:0": ycck}
    for kind, image in images.items():
        for coding, progressive in PROGRESSIVE.items():
            for interval in (0, 5):
                data = write_jpeg(replace(image, restart_interval=interval), progressive=progressive)
                yield OurFile(f"{kind}, restart interval {interval}, {coding}", kind, data)


def _metadata(part: Pixels) -> Iterator[OurFile]:
    """Exif (upright), an ICC profile in one segment and one padded to two segments, and a density in dots per inch.

    Also a transcoded file of Pillow with XMP, a comment and a second JPEG file behind it, as telephones write them.
    """
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 1, "a picture"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    large = struct.pack(">I", len(profile) + 70_000) + profile[4:] + bytes(70_000)
    kinds = {
        "Exif": Metadata(exif=exif.tobytes().removeprefix(b"Exif\0\0")),
        "ICC profile": Metadata(icc_profile=profile),
        "ICC profile in two segments": Metadata(icc_profile=large),
        "300 dpi": Metadata(density=(1, 300, 300)),
    }
    image = read_jpeg(encode(part, subsampling="4:4:4").data)
    images = {name: replace(image, metadata=metadata) for name, metadata in kinds.items()}
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
    carried, second = io.BytesIO(), encode(part[:40, :50, 1].copy()).data
    Image.fromarray(part).save(carried, "JPEG", subsampling="4:4:4", comment=b"a comment", xmp=packet)
    images["XMP, comment, a file behind EOI"] = read_jpeg(carried.getvalue() + second)
    for name, variant in images.items():
        for coding, progressive in PROGRESSIVE.items():
            data = write_jpeg(variant, progressive=progressive)
            yield OurFile(f"{name}, {coding}", "metadata", data)


def _sizes(photo: Pixels) -> Iterator[OurFile]:
    """Sizes smaller than a block, odd sizes, and narrow strips."""
    for width, height in SIZES:
        rows, columns = np.arange(height) % photo.shape[0], np.arange(width) % photo.shape[1]
        pixels = np.ascontiguousarray(photo[rows][:, columns])
        for sampling in ("4:4:4", "4:2:0"):
            for coding, progressive in PROGRESSIVE.items():
                data = encode(pixels, subsampling=sampling, progressive=progressive).data
                yield OurFile(f"{width}x{height}, {sampling}, {coding}", f"sizes and strips, {sampling}", data)


def _extremes() -> Iterator[OurFile]:
    """White, black, noise, and squares of black and white, whose decoded edges exceed the range of samples."""
    noise = np.random.default_rng(5).integers(0, 256, (65, 71, 3), np.uint8)
    squares = 255 * (np.indices((90, 90)).sum(axis=0) // 3 % 2).astype(np.uint8)
    pictures = {"white": np.full((40, 50, 3), 255, np.uint8), "black": np.zeros((40, 50), np.uint8)}
    for name, pixels in (pictures | {"noise": noise, "squares": squares}).items():
        for quality in (30, 100):
            data = encode(pixels, quality=quality, subsampling="4:4:4").data
            yield OurFile(f"{name}, quality {quality}", "flat, noise, squares", data)


def _two_scans(part: Pixels) -> Iterator[OurFile]:
    """Files with luminance and chrominance in two scans."""
    for sampling in ("4:2:0", "4:2:2", "4:4:0"):
        for interval in (0, 16):
            image = read_jpeg(encode(part, subsampling=sampling, restart_interval=interval).data)
            name = f"two scans, {sampling}, restart interval {interval}"
            yield OurFile(name, TWO_SCANS, write_jpeg(image, apart=True))
    data = encode(part, effort=3, tune="people", scans="apart").data
    yield OurFile("two scans, effort 3 for people, 4:2:0", TWO_SCANS, data)
