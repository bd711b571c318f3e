"""What the benchmarks share: rows of figures, as a table or as JSON."""

import argparse
import json
import time
from typing import Callable, Dict, List, NamedTuple, Optional


class Row(NamedTuple):
    """A figure; `ratio` is how many times better than the baseline of the same run it is, if there is one."""

    name: str
    value: float
    unit: str
    ratio: Optional[float] = None


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print an array of objects")
    return parser


def show(rows: List[Row], as_json: bool) -> None:
    """Print rows."""
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return
    width = max(len(row.name) for row in rows)
    for name, value, unit, ratio in rows:
        print(f"{name:<{width}}  {value:>10.4g} {unit:<12}" + ("" if ratio is None else f" {ratio:>8.2f}x"))


def speeds(contestants: Dict[str, Callable[[], int]], seconds: float) -> Dict[str, float]:
    """Return how many units a second each contestant does.

    Each call does some units of work and returns how many. Contestants take turns, so that all of them meet the same
    ups and downs of the machine, and the fastest turn of each counts: the rest is other load.
    """
    for contestant in contestants.values():
        contestant()
    best = dict.fromkeys(contestants, 0.0)
    end = time.perf_counter() + seconds * len(contestants)
    while time.perf_counter() < end:
        for name, contestant in contestants.items():
            began = time.perf_counter()
            done = contestant()
            best[name] = max(best[name], done / (time.perf_counter() - began))
    return best
