"""Mutated image files, as benchmarks/hostile_files.py makes them, are read or refused in one line, soon and quietly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unmeasured import UNMEASURED

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "hostile_files.py"
KINDS = ["png", "jpeg", "bmp", "tiff", "webp", "pnm", "gif"]


@pytest.mark.parametrize("count", [120, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_each_is_read_or_refused(count):
    command = [sys.executable, str(PROGRAM), "--json", f"--count={count}", *KINDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=UNMEASURED)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [each["kind"] for each in found] == KINDS
    for each in found:
        assert each["faults"] == []
        assert each["read"] + each["refused"] == each["mutants"] == count
        assert each["read"] > count / 20 and each["refused"] > count / 20
        assert each["slowest_ms"] < 1000
        assert 30 < each["peak_mb"] < 1000
