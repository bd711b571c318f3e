"""The C reader on an emulated microcontroller."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = "arm-none-eabi-gcc", "qemu-system-arm"
missing = [tool for tool in TOOLS if not shutil.which(tool)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=f"no {' and no '.join(missing)} (gcc-arm-none-eabi, qemu-system-arm)"),
]


def test_reads_as_a_desktop_does_in_little_memory():
    program = [sys.executable, str(ROOT / "benchmarks" / "cortex_m.py")]
    result = subprocess.run(program, capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == 0, result.stderr
    assert len(re.findall("20 of 20", result.stdout)) == 2
    assert all(int(number.replace(",", "")) < 128 * 1024 for number in re.findall(r"RAM ([\d,]+)", result.stdout))
