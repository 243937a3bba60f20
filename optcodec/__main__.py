"""``python -m optcodec`` is the command ``optcodec``."""

from __future__ import annotations

from optcodec.cli import main

if __name__ == "__main__":
    main(prog_name="optcodec")
