"""Optional packages: which extra of optcodec installs each, and the error message if one is missing.

The core of optcodec needs few packages. A function that needs scikit-image, matplotlib, SciPy, ONNX Runtime or torch
calls `require_packages` before its work begins; if a package is missing, the error has the command that installs it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeGuard

from optcodec.errors import InvalidInputError, OptcodecError

if TYPE_CHECKING:
    import torch

__all__ = [
    "OPTIONAL_PACKAGES",
    "is_tensor",
    "load_factory",
    "load_function",
    "missing_package",
    "named_errors",
    "require_packages",
]

# Import name: name on the package index, and the extra of optcodec that an error message recommends.
OPTIONAL_PACKAGES = {
    "ajpegli": ("ajpegli", "train"),
    "bjontegaard": ("bjontegaard", "accuracy"),
    "fsspec": ("fsspec", "data"),
    "imageio": ("imageio", "imageio"),
    "jinja2": ("jinja2", "report"),
    "litert_torch": ("litert-torch", "tflite"),
    "matplotlib": ("matplotlib", "plot"),
    "onnx": ("onnx", "torch"),
    "onnxruntime": ("onnxruntime", "receiver"),
    "piq": ("piq", "evaluate"),
    "pyarrow": ("pyarrow", "data"),
    "pyvips": ("pyvips", "train"),
    "ray": ("ray", "cluster"),
    "safetensors": ("safetensors", "torch"),
    "scipy": ("scipy", "accuracy"),
    "skimage": ("scikit-image", "ssim"),
    "spandrel": ("spandrel", "evaluate"),
    "ssimulacra2": ("ssimulacra2", "rates"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "torch": ("torch", "torch"),
    "torchmetrics": ("torchmetrics", "evaluate"),
    "torchvision": ("torchvision", "torch"),
    "vl_convert": ("vl-convert-python", "report"),
}


def require_packages(*modules: str, extra: str | None = None) -> None:
    """Import modules of optional packages, or raise an error that says how to install the packages.

    Parameters
    ----------
    *modules : str
        Module names such as ``"skimage.metrics"``; each module is in a package of `OPTIONAL_PACKAGES`.
    extra : str, optional
        The extra that the error recommends, if several extras install the package. By default that of
        `OPTIONAL_PACKAGES`.

    Raises
    ------
    InvalidInputError
        If a package is not installed or cannot be imported; the message has the command that installs it.
    """
    packages = list(dict.fromkeys(module.partition(".")[0] for module in modules))
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise _missing(missing, extra)
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            package, reason = module.partition(".")[0], (str(error).splitlines() or [type(error).__name__])[0]
            name, command = OPTIONAL_PACKAGES[package][0], _command([package], extra)
            raise InvalidInputError(f"{name} cannot be imported ({reason}): {command}") from None


def missing_package(error: Exception) -> InvalidInputError | None:
    """Translate the import error of a missing optional package for the user; return None for any other error."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    package = (name or "").partition(".")[0]
    return _missing([package], None) if package in OPTIONAL_PACKAGES else None


def _missing(packages: list[str], extra: str | None) -> InvalidInputError:
    names = [OPTIONAL_PACKAGES[package][0] for package in packages]
    command = _command(packages, extra)
    if len(names) == 1:
        return InvalidInputError(f"{names[0]} is needed for this, and is not installed: {command}")
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return InvalidInputError(f"{listed} are needed for this, and are not installed: {command}")


def _command(packages: list[str], extra: str | None) -> str:
    extras = {extra} if extra else {OPTIONAL_PACKAGES[package][1] for package in packages}
    return f"pip install 'optcodec[{','.join(sorted(extras))}]'"


def load_factory(name: str, what: str) -> Callable[[], Any]:
    """A function of somebody else's that makes something, by its name; see `load_function`.

    Parameters
    ----------
    name : str
        ``"package.module:factory"``, a function without arguments; or ``"package.module:factory@TEXT"``, a function
        that is called with the text, such as the name of a file.
    what : str
        What it makes, for messages, such as ``"a task"``.
    """
    function_name, at, text = name.partition("@")
    function = load_function(function_name, what, kind="factory")
    return partial(function, text) if at else function


def load_function(name: str, what: str, *, kind: str = "function") -> Callable[..., Any]:
    """A function of somebody else's, by its name.

    Parameters
    ----------
    name : str
        ``"package.module:function"``.
    what : str
        What it is, or what it makes if it is a factory, for messages, such as ``"a sender"``.
    kind : {"function", "factory"}
        What it is called in messages.

    Raises
    ------
    InvalidInputError
        If there is no such function, or its module needs an optional package that is missing.
    """
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        wrong = InvalidInputError(f"expected {what} as package.module:{kind}, got {name!r}: {error}")
        raise missing_package(error) or wrong from None
    if not callable(function):
        role = f"that makes {what}" if kind == "factory" else f"as {what}"
        raise InvalidInputError(f"expected a function {role}, {name} is a {type(function).__name__}")
    typed_function: Callable[..., Any] = function
    return typed_function


def is_tensor(image: object) -> TypeGuard[torch.Tensor]:
    """Whether this is a tensor of torch, which is not imported for that."""
    return "torch" in sys.modules and isinstance(image, sys.modules["torch"].Tensor)


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn whatever a function of somebody else's raises into an `InvalidInputError`, so that it does not end a run.

    Parameters
    ----------
    name : str
        What the function is called in the message. Our own errors, and a lack of memory or of an optional package,
        pass as they are.
    """
    try:
        yield
    except (OptcodecError, MemoryError):
        raise
    except Exception as error:  # the function is not ours: it may raise anything
        if missing_package(error) is not None:
            raise
        raise InvalidInputError(f"{name} raises {type(error).__name__}: {error}".splitlines()[0]) from error
