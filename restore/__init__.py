"""The receiver: restores what the encoder sent.

The public names are listed in ``__init__.pyi`` and imported when they are first used. Restoring takes numpy and ONNX
Runtime; torch is needed to train only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
