# The public names. Type checkers read this list; `restore/__init__.py` imports each name when it is first used.
from .runtime.hinting import add_hint as add_hint
from .runtime.image import decode_centroids as decode_centroids
from .runtime.models import Model as Model
from .runtime.models import load_model as load_model
from .runtime.models import shipped_models as shipped_models
from .runtime.restore import restore_image as restore_image
from .runtime.restore import restore_pixels as restore_pixels
