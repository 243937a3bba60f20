"""JPEG inside training code: a transform that encodes and decodes, and JPEG as a layer with gradients. Needs torch."""

from optcodec.extras import require_packages

require_packages("torch", "torchvision", extra="torch")

from optcodec.torch.layer import CodedImages, DifferentiableJpeg  # noqa: E402
from optcodec.torch.transform import OptJpeg  # noqa: E402

__all__ = ["CodedImages", "DifferentiableJpeg", "OptJpeg"]
