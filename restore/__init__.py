"""The receiver: decodes JPEG files and restores what quantization removed, with small neural networks.

The public names are listed in ``__init__.pyi`` and imported when they are first used. Restoring needs numpy and
ONNX Runtime; torch is needed only for training, compressing, exporting and evaluating networks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
