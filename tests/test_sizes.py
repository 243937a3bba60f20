"""Files have at most 300 lines, functions at most 40 lines and 7 parameters, apart from the listed exceptions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES_OF_FILE, LINES_OF_FUNCTION, PARAMETERS = 300, 40, 7

KERNELS = "optcodec/kernels/"  # kernels take arrays and numbers one by one, since compiled code knows no classes

# Files and functions above the limits, with the reason.
_PUBLIC = "a public function, whose options are keyword-only and stay"
EXCEPTIONS = {
    "optcodec/encoder.py: encode()": "the options of a JPEG encoder, each with a default",
    "optcodec/design/resolve.py: design_tables()": _PUBLIC,
    "optcodec/receivers/measure.py: measure_curves()": _PUBLIC,
    "optcodec/vision/estimate.py: estimate_sensitivity()": _PUBLIC,
    "optcodec/vision/survey.py: sensitivity_of()": "the options of estimate_sensitivity, handed through",
    "restore/runtime/restore.py: restore_image()": _PUBLIC,
    "restore/runtime/restore.py: restore_pixels()": _PUBLIC,
    "restore/networks/conditioned.py: Conditioned.__init__()": "the entries of its configuration, each with a default",
    "optcodec/kernels/decode.py: unstuff": "one loop whose parts share eight variables, which a kernel cannot return",
}


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions, including nested ones, with their qualified names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = f"{prefix}{node.name}"
            if isinstance(node, ast.FunctionDef):
                yield name, node
            yield from functions(node, f"{name}.")
        else:
            yield from functions(node, prefix)


def parameters(function: ast.FunctionDef) -> int:
    """Number of parameters without ``self`` and ``cls``; ``*args`` and ``**options`` count as one each."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    named = named[1:] if named and named[0].arg in ("self", "cls") else named
    return len(named) + len(arguments.kwonlyargs) + (arguments.vararg is not None) + (arguments.kwarg is not None)


def lines(function: ast.FunctionDef) -> int:
    """Number of lines of the signature and the body, without the docstring."""
    documentation = function.body[0] if ast.get_docstring(function) is not None else None
    return extent(function) - (0 if documentation is None else extent(documentation))


def extent(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def too_large(path: Path) -> dict[str, str]:
    """The sizes in a file that exceed a limit, by name."""
    name, text = path.relative_to(ROOT).as_posix(), path.read_text()
    sizes = {}
    if (count := len(text.splitlines())) > LINES_OF_FILE:
        sizes[name] = f"{count} lines"
    for function, node in functions(ast.parse(text)):
        if (count := lines(node)) > LINES_OF_FUNCTION:
            sizes[f"{name}: {function}"] = f"{count} lines"
        if (count := parameters(node)) > PARAMETERS and not name.startswith(KERNELS):
            sizes[f"{name}: {function}()"] = f"{count} parameters"
    return sizes


def test_sizes() -> None:
    paths = [path for package in ("optcodec", "restore", "benchmarks") for path in (ROOT / package).rglob("*.py")]
    sizes: dict[str, str] = {}
    for path in paths:
        sizes |= too_large(path)
    assert {name: size for name, size in sizes.items() if name not in EXCEPTIONS} == {}
    assert [name for name in EXCEPTIONS if name not in sizes] == [], "these keep the limits now: strike them out"


def test_a_file_that_is_too_large_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``self`` and docstrings are not counted, keyword-only parameters are."""
    monkeypatch.setattr("tests.test_sizes.ROOT", tmp_path)
    names = ", ".join("abcdef")
    text = (
        f"class A:\n    def b(self, {names}, *, g):\n" + '        """\n' + "x\n" * 50 + '"""\n' + "        c = 1\n" * 39
    )
    (tmp_path / "a.py").write_text(text)
    assert too_large(tmp_path / "a.py") == {}
    (tmp_path / "a.py").write_text(text.replace("g):", "g, h):") + "        c = 1\n" + "\n" * 300)
    count = len(text.splitlines()) + 301
    expected = {"a.py": f"{count} lines", "a.py: A.b": "41 lines", "a.py: A.b()": "8 parameters"}
    assert too_large(tmp_path / "a.py") == expected
