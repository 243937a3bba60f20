"""The public names: one list, and every name on it is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import optcodec

STUB = Path(optcodec.__file__).with_suffix(".pyi")


def listed() -> dict[str, str]:
    """Public name -> module that the stub imports it from."""
    imports = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"optcodec.{node.module}" for node in imports for alias in node.names}


def test_the_list_is_what_the_package_offers() -> None:
    assert set(optcodec.__all__) == set(listed())
    assert set(listed()) <= set(dir(optcodec))


@pytest.mark.parametrize("name", sorted(listed()))
def test_each_name_is_public_where_it_is_defined(name: str) -> None:
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
