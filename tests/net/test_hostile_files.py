"""Mutated symbol and params files, as benchmarks/hostile_files.py makes them, are read or refused in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unmeasured import UNMEASURED

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "hostile_files.py"
KINDS = ("symbol", "params")


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_each_is_read_or_refused(count):
    command = [sys.executable, str(PROGRAM), "--json", f"--count={count}", *KINDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=UNMEASURED)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [each["kind"] for each in found] == list(KINDS)
    for each in found:
        assert each["faults"] == []
        assert each["read"] + each["refused"] == each["mutants"] == count
        assert each["read"] > 0 and each["refused"] > 0
        assert 50 < each["peak_mb"] < 1000
