"""What `restore` and the benchmarks use of optcodec besides its public names.

These are helpers of the project, not of its users: they may change with any version. `restore` imports them from here
and nothing else that is internal, which the import contracts check.
"""

from __future__ import annotations

from optcodec.bootstrap import percentile_interval
from optcodec.cached import cached_property
from optcodec.experiments.partial import PartFormat, PartialFolder, remove_partial
from optcodec.experiments.threads import in_order
from optcodec.extras import load_factory, load_function, named_errors
from optcodec.files import check_writable, whole_file, write_whole
from optcodec.jpeg.dct import forward
from optcodec.jpeg.metadata.values import CarriedSegment
from optcodec.jpeg.metadata.writer import segments_of, with_metadata
from optcodec.jsontext import finite
from optcodec.limits import processor_count
from optcodec.metrics import check_pixels, luminance, mean_square, ssim
from optcodec.peers.encoders import PEERS, encode_jpegli, encode_mozjpeg, encode_turbo, require_peers
from optcodec.pictures.opening import first_line
from optcodec.pictures.orientation import check_orient
from optcodec.scalars import real_number
from optcodec.shipped import ShippedFiles
from optcodec.vision.running import as_used, one_thread_each

__all__ = [
    "PEERS",
    "CarriedSegment",
    "PartFormat",
    "PartialFolder",
    "ShippedFiles",
    "as_used",
    "cached_property",
    "check_orient",
    "check_pixels",
    "check_writable",
    "encode_jpegli",
    "encode_mozjpeg",
    "encode_turbo",
    "finite",
    "first_line",
    "forward",
    "in_order",
    "load_factory",
    "load_function",
    "luminance",
    "mean_square",
    "named_errors",
    "one_thread_each",
    "percentile_interval",
    "processor_count",
    "real_number",
    "remove_partial",
    "require_peers",
    "segments_of",
    "ssim",
    "whole_file",
    "with_metadata",
    "write_whole",
]
