"""Run a program as if the processor had no instructions beyond AVX2, without slowing it down.

    python -m benchmarks.receiver.without_vnni python -m pytest tests/restore/test_quantize.py

ONNX Runtime learns from the instruction CPUID which instructions the processor has. The program runs in gdb, which
stops at each CPUID instruction in the library of ONNX Runtime and removes AVX-512, VNNI and AMX from its result.
Afterwards the program runs at full speed with the code for AVX2. Needs Linux on x86-64, gdb and objdump (Debian: gdb,
binutils).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["command"]

LIBRARY = "onnxruntime_pybind11_state"
# Intel, Software Developer's Manual, volume 2, table 3-17: bits of leaf 7 by subleaf and register.
HIDDEN = {
    0: {
        "ebx": (16, 17, 21, 26, 27, 28, 30, 31),  # AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL
        "ecx": (1, 6, 11, 12, 14),  # AVX-512 VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
        "edx": (2, 3, 8, 22, 23, 24, 25),  # AVX-512 4VNNIW, 4FMAPS, VP2INTERSECT; AMX-BF16; AVX-512 FP16; AMX
    },
    1: {
        "eax": (4, 5, 21, 23),
        "edx": (4, 5, 8, 10, 19),
    },  # AVX-VNNI, AVX-512 BF16, AMX-FP16, AVX-IFMA; newer VNNI, AVX10
}


def command(*arguments: str) -> list[str]:
    """The command line that runs a program without these instructions; its exit status is that of the program."""
    return [
        "gdb",
        "-nx",
        "-iex",
        "set auto-load no",
        "-batch-silent",
        "-x",
        str(Path(__file__).resolve()),
        "--args",
        *arguments,
    ]


def _in_gdb() -> int:
    """Run the program with which gdb was started, and return its exit status."""
    import gdb

    for setting in ("confirm off", "pagination off", "breakpoint pending on", "print thread-events off"):
        gdb.execute(f"set {setting}")
    gdb.execute("handle SIGSEGV SIGPIPE SIGUSR1 SIGINT nostop noprint pass")
    gdb.execute(f"catch load {LIBRARY}")
    gdb.execute("run")
    asked = 0
    if gdb.selected_inferior().pid:
        places = {address for base, offsets in [_questions()] for address in (base + offset for offset in offsets)}
        for place in places:
            gdb.Breakpoint(f"*{place:#x}", internal=True).silent = True
        while _continued(gdb) in places:
            _answer(gdb)
            asked += 1
    if not asked:
        print(f"the program executed no CPUID instruction in the library {LIBRARY}", file=sys.stderr)
        return 1
    return int(gdb.parse_and_eval("$_exitcode"))


def _questions() -> tuple[int, list[int]]:
    """The address at which the library is loaded, and the offsets of its CPUID instructions."""
    import gdb

    lines = Path(f"/proc/{gdb.selected_inferior().pid}/maps").read_text().splitlines()
    line = next(line for line in lines if LIBRARY in line)
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", line.split()[-1]], capture_output=True, text=True, check=True
    )
    offsets = re.findall(r"^\s*([0-9a-f]+):\s+cpuid", listing.stdout, re.MULTILINE)
    return int(line.partition("-")[0], 16), [int(offset, 16) for offset in offsets]


def _continued(gdb: Any) -> int:
    """Continue to the next stop, and return its address, or 0 if the program has ended."""
    gdb.execute("continue")
    return int(gdb.parse_and_eval("(unsigned long) $pc")) if gdb.selected_inferior().pid else 0


def _answer(gdb: Any) -> None:
    """Execute one CPUID instruction, and clear the bits of `HIDDEN` in its result."""
    leaf, part = (int(gdb.parse_and_eval(f"(unsigned) ${register}")) for register in ("eax", "ecx"))
    gdb.execute("stepi")
    for register, bits in HIDDEN.get(part, {}).items() if leaf == 7 else ():
        kept = (1 << 32) - 1 & ~sum(1 << bit for bit in bits)
        gdb.execute(f"set $r{register[1:]} = $r{register[1:]} & {kept:#x}")


if __name__ == "__main__":
    try:
        import gdb
    except ImportError:
        sys.exit(subprocess.run(command(*sys.argv[1:]), check=False).returncode)
    gdb.execute(f"quit {_in_gdb()}")
