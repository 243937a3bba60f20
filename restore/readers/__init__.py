"""Receivers as readers: `optcodec encode` then makes files of which a receiver restores the best picture.

A reader of `optcodec.encode` returns how bad a decoded picture is, and the gradient by its pixels: here the squared
error of the restored picture. ``--reader restore.readers:deblock`` names the shipped receiver on the command line, and
``restore.readers:denoise25@ffdnet:FILE`` a network of somebody else's.
"""

from restore.readers.named import deblock, deblock_hint
from restore.readers.receiver import ReceiverReader
from restore.readers.task import TaskReader, deblur, denoise25, sr4

__all__ = ["ReceiverReader", "TaskReader", "deblock", "deblock_hint", "deblur", "denoise25", "sr4"]
