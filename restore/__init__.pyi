# The public names: type checkers read this list, and `restore/__init__.py` imports from it on first use.
from .infer import restore_image as restore_image
from .models import Model as Model
from .models import load_model as load_model
from .models import shipped_models as shipped_models
