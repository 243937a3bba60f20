"""Print the packages that pyproject.toml names, one a line: as they stand there (``newest``), or pinned (``lowest``).

``lowest`` pins each to its lower bound. The packages are those of the core, of all extras and of the tests; without
torch, what needs it, and Ray, for they are too large.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

TOO_LARGE = {"piq", "piqa", "torch", "torchmetrics", "torchvision", "spandrel", "tensorboard", "ray"}
# what the tests here do not take
OTHER_CHECKS = {"atheris", "import-linter", "ipykernel", "mypy", "nbclient", "playwright", "ruff", "webdataset"}
OTHER_CHECKS |= {"aiobotocore", "boto3", "flask", "flask-cors", "gcp-storage-emulator", "gcsfs", "moto", "s3fs"}
OTHER_CHECKS |= {"myst-parser", "pydata-sphinx-theme", "sphinx", "ziamath"}


def requirements() -> dict[str, str]:
    """Name -> requirement."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra, needed in project["optional-dependencies"].items():
        if extra != "bench":
            lines += [line for line in needed if not line.startswith("optcodec[")]
    named = {re.split("[><=[]", line)[0]: line for line in lines}
    return {name: line for name, line in named.items() if name not in TOO_LARGE | OTHER_CHECKS}


def lowest(requirement: str) -> str:
    """The lower bound alone, as a pin."""
    name, bounds = re.fullmatch(r"([a-z0-9-]+(?:\[[a-z,]+\])?)(.*)", requirement).groups()
    (bound,) = [each.removeprefix(">=") for each in bounds.split(",") if each.startswith(">=")]
    return f"{name}=={bound}"


if __name__ == "__main__":
    for each in requirements().values():
        print(lowest(each) if sys.argv[1] == "lowest" else each)
