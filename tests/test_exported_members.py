"""The list of public names agrees with the stub files, and every type in a public signature is public, too."""

from __future__ import annotations

import ast
import importlib
import inspect
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import optcodec
import restore

STUB = Path(optcodec.__file__).with_suffix(".pyi")


def listed() -> dict[str, str]:
    """Public name -> module that the stub imports it from."""
    imports = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"optcodec.{node.module}" for node in imports for alias in node.names}


def test_the_list_is_what_the_package_offers() -> None:
    assert set(optcodec.__all__) == set(listed())
    assert set(listed()) <= set(dir(optcodec))


@pytest.mark.parametrize("name", sorted(listed()))
def test_every_name_is_public_where_it_is_defined(name: str) -> None:
    module = importlib.import_module(listed()[name])
    assert getattr(optcodec, name) is getattr(module, name)
    assert name in module.__all__


def test_every_module_lists_what_it_has() -> None:
    for path in sorted(STUB.parent.rglob("*.py")):
        parts = path.relative_to(STUB.parent.parent).with_suffix("").parts
        if "kernels" in parts or parts[-1] in ("__init__", "__main__"):
            continue
        module = importlib.import_module(".".join(parts))
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert not missing, f"{path}: __all__ names {missing}, which are not there"


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        optcodec.nothing  # noqa: B018


RETURNED_BY_FUNCTIONS = {"BlockChoice", "CoefficientRows", "Model"}  # their constructors are not called by users
ATTRIBUTES_OF_READ_FILES = {"CarriedSegment"}  # `Metadata` returns these to users, who need not make any


def classes_in(annotation: object) -> set[type]:
    """All classes of a type, such as those in ``list[A] | None``."""
    parts = set().union(*(classes_in(part) for part in typing.get_args(annotation)))
    return parts | ({annotation} if isinstance(annotation, type) else set())


def test_what_public_functions_take_and_return_is_public() -> None:
    public = {name: getattr(package, name) for package in (optcodec, restore) for name in package.__all__}
    missing = set()
    for name, item in public.items():
        is_class = inspect.isclass(item)
        if not (inspect.isfunction(item) or (is_class and "__init__" in vars(item))) or name in RETURNED_BY_FUNCTIONS:
            continue
        function = item.__init__ if is_class else item
        module = importlib.import_module(item.__module__)
        for annotation in annotations_of(function, module).values():
            missing |= {
                (name, annotated.__name__)
                for annotated in classes_in(annotation)
                if annotated.__module__.partition(".")[0] in ("optcodec", "restore")
                and annotated.__name__ not in public.keys() | ATTRIBUTES_OF_READ_FILES
                and not getattr(annotated, "_is_protocol", False)
            }
    assert not missing, "these are needed by users of the function, and cannot be imported from the package"


def annotations_of(function: Any, module: ModuleType) -> dict[str, Any]:
    """Types of the parameters and of the result, without names that only type checkers import."""
    known = {}
    for name, annotation in function.__annotations__.items():
        try:
            known[name] = eval(annotation, vars(module)) if isinstance(annotation, str) else annotation
        except (NameError, TypeError):
            continue
    return known
