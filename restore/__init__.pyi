# The public names: type checkers read this list, and `restore/__init__.py` imports from it on first use.
from .runtime.infer import restore_image as restore_image
from .runtime.models import Model as Model
from .runtime.models import load_model as load_model
from .runtime.models import shipped_models as shipped_models
