"""Runs the benchmarks one after another and writes what they found to docs/benchmarks.md.

python benchmarks/run_all.py
"""

import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata, util
from pathlib import Path
from typing import Any, Dict, List

from report import ROOT

from ocr_lib.files import write_atomic

BENCHMARKS = ("render", "renderers", "train", "peers", "cores", "time_to_accuracy", "memory")
PACKAGES = ("mxnet", "numpy", "numba", "captcha", "pillow", "torch")


def run(name: str) -> List[Dict[str, Any]]:
    """Run a benchmark and return its rows."""
    print(f"{name}.py", end="", flush=True, file=sys.stderr)
    began = time.monotonic()
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    print(f": {time.monotonic() - began:.0f} s", file=sys.stderr)
    if done.returncode:
        raise SystemExit(f"{name}.py ended with {done.returncode}, see above; docs/benchmarks.md is as it was")
    return json.loads(done.stdout)


def section(name: str, rows: List[Dict[str, Any]]) -> str:
    """Return what a benchmark says of itself, and its rows, as Markdown."""
    path = ROOT / "benchmarks" / f"{name}.py"
    doc = path.read_text().split('"""')[1].strip()
    text, _, command = doc.rpartition("\n\n")
    lines = [f"## {name}", "", text, "", f"`{command.strip()}`", "", "| | | | ratio |", "|---|---:|---|---:|"]
    for row in rows:
        value = f"{row['value']:,.0f}" if abs(row["value"]) >= 1000 else f"{row['value']:.4g}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(f"| {row['name']} | {value} | {row['unit']} | {ratio} |")
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures depend on besides the code."""
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in PACKAGES if util.find_spec(name) or name == "pillow"
    )
    model = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return f"{len(os.sched_getaffinity(0))} cores ({model[0]}), Python {platform.python_version()}, {versions}."


def main() -> None:
    """Write the file when all are done."""
    sections = [section(name, run(name)) for name in BENCHMARKS]
    head = (
        "# Benchmarks\n\nWritten by `make bench`. Absolute figures are those of one machine at one time; compare "
        f"ratios, whose baselines are of the same run.\n\n{machine()}"
    )
    write_atomic(ROOT / "docs" / "benchmarks.md", "\n\n".join([head, *sections, ""]).encode())


if __name__ == "__main__":
    main()
