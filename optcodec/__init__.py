"""JPEG encoder that optimizes quantization for its reader: a DNN or a restoration network.

The public names are listed in ``__init__.pyi`` and imported when they are first used, so that ``import optcodec``
costs next to nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
