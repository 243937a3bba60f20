"""A plugin of imageio that writes and reads JPEG files with optcodec.

``imageio.v3.imwrite("a.jpg", image, plugin=OptcodecPlugin, quality=75, effort=3)`` takes the arguments of
`optcodec.encode`; ``imageio.v3.imread("a.jpg", plugin=OptcodecPlugin)`` those of `optcodec.load_picture`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.encoder import encode
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.pictures.pixels import Picture, load_picture

require_packages("imageio")

from imageio.core.request import URI_BYTES  # noqa: E402
from imageio.core.v3_plugin_api import ImageProperties, PluginV3  # noqa: E402

__all__ = ["OptcodecPlugin"]

Pixels = npt.NDArray[np.uint8]


class OptcodecPlugin(PluginV3):
    """One JPEG file; see `imageio.core.v3_plugin_api.PluginV3` for the methods."""

    def read(self, *, index: int | EllipsisType | None = 0, **options: Any) -> Pixels:
        return self._picture(index, options).pixels

    def write(self, ndimage: Any, **options: Any) -> bytes | None:
        file = encode(np.asarray(ndimage), **options)
        self.request.get_file().write(file.data)
        return file.data if self.request._uri_type == URI_BYTES else None

    def iter(self, **options: Any) -> Iterator[Pixels]:
        yield self.read(**options)

    def properties(self, index: int | EllipsisType | None = 0) -> ImageProperties:
        pixels = self._picture(index, {}).pixels
        return ImageProperties(pixels.shape, pixels.dtype)

    def metadata(self, index: int = 0, exclude_applied: bool = True) -> dict[str, Any]:
        found = self._picture(index, {}).metadata
        return {name: value for name in ("exif", "icc_profile") if (value := getattr(found, name)) is not None}

    def _picture(self, index: int | EllipsisType | None, options: dict[str, Any]) -> Picture:
        if index not in (0, None, ...):
            raise InvalidInputError(f"a JPEG file has one image, number 0; got {index!r}")
        file = self.request.get_file()
        file.seek(0)
        return load_picture(file.read(), **options)
