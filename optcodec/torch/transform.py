"""`OptJpeg`: a transform of `torchvision.transforms.v2` that encodes images as JPEG files and decodes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from optcodec.encoder import DEFAULT_QUALITY, encoding
from optcodec.encoding import Encoding
from optcodec.errors import InvalidInputError
from optcodec.jpeg.layout import on_threads, thread_count
from optcodec.jpeg.tables import check_quality

__all__ = ["OptJpeg"]

_FIXED = "plan", "tables", "target"  # arguments that exclude a quality


class OptJpeg(v2.Transform):  # type: ignore[misc]
    """Encodes images as JPEG files, and decodes them, in memory: the pixels that libjpeg-turbo shows of these files.

    Where pixels do not depend on the bytes of the file, none is made: indices are quantized and decoded.

    Images are uint8, of shape (..., 3 or 1, height, width); other inputs, such as labels and boxes, pass unchanged. All
    images of a call have the same quality. It is drawn with torch's random generator, so that `torch.manual_seed` makes
    it repeatable.

    Parameters
    ----------
    quality : int or (int, int), optional
        JPEG quality 1..100, or the least and the largest quality, between which whole qualities are drawn. By default
        75; without effect, and refused, with `plan`, or with `tables` or `target` among the options.
    plan : str or path, optional
        A file that ``optcodec fit`` has written: images are coded as by ``optcodec encode --plan``. Its options do not
        go with others, apart from `threads`, and it must not change the size of pictures.
    **options
        Further arguments of `optcodec.encode`: `tables`, `target`, `profile`, `tune`, `effort`, `subsampling` and
        others; with `threads`, by default 1, as many images of a batch are encoded at a time.

    Raises
    ------
    InvalidInputError
        If a quality is wrong, or the plan cannot be read; and when an image is encoded, as `optcodec.encode`.
    """

    _transformed_types = (tv_tensors.Image, tv_tensors.Video, v2._utils.is_pure_tensor)

    def __init__(
        self,
        quality: int | Sequence[int] | None = None,
        *,
        plan: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if plan is not None and options.keys() - {"threads"}:
            raise InvalidInputError(f"plan and {min(options.keys() - {'threads'})} exclude one another; expected one")
        fixed = [name for name, value in {"plan": plan, **options}.items() if name in _FIXED and value is not None]
        if fixed and quality is not None:
            raise InvalidInputError(f"quality and {fixed[0]} exclude one another; expected one of them")
        given: Any = DEFAULT_QUALITY if quality is None else quality
        bounds = (given, given) if isinstance(given, Integral) else tuple(given) if isinstance(given, Sequence) else ()
        if len(bounds) != 2 or check_quality(bounds[0]) > check_quality(bounds[1]):
            raise InvalidInputError(f"quality is a number, or the least and the largest one; got {quality!r}")
        self.quality = None if fixed else bounds
        self.options = {"threads": 1, **options}  # a loader has a process for each core
        if plan is not None:
            from optcodec.cli.plan_settings import plan_settings

            self.options = plan_settings(plan) | self.options
        self._encodings: dict[
            tuple[int | None, int], Encoding
        ] = {}  # by quality and threads, as their checks take time

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the quality of a call."""
        if self.quality is None:
            return {}
        low, high = self.quality
        return {"quality": int(torch.randint(low, high + 1, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Encode and decode the images of a tensor."""
        if inpt.dtype != torch.uint8 or inpt.ndim < 3 or inpt.shape[-3] not in (1, 3) or 0 in inpt.shape:
            got = f"{inpt.dtype} of shape {tuple(inpt.shape)}"
            raise InvalidInputError(f"expected images as uint8 of shape (..., 3 or 1, height, width), got {got}")
        plain = inpt.as_subclass(Tensor).detach().cpu()
        images = plain.reshape(-1, *plain.shape[-3:])
        threads = thread_count(self.options["threads"])
        workers = max(1, min(threads, len(images)))
        shown = on_threads(self._encoding(params.get("quality"), threads // workers).decoded, images, workers)
        decoded = torch.from_numpy(shown[0][None] if len(shown) == 1 else np.stack(shown))  # a batch of one is no copy
        coded = decoded.reshape(len(shown), *plain.shape[-2:], plain.shape[-3]).permute(0, 3, 1, 2)
        return tv_tensors.wrap(coded.reshape(plain.shape).to(inpt.device), like=inpt)

    def _encoding(self, quality: int | None, threads: int) -> Encoding:
        """What is done to an image of this quality."""
        key = quality, threads
        if key not in self._encodings:
            drawn = {} if quality is None else {"quality": quality}
            self._encodings[key] = encoding(**self.options | {"threads": threads} | drawn)
        return self._encodings[key]
