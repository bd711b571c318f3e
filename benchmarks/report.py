"""What the benchmarks share: contestants that take turns, the memory of processes, figures as a table or as JSON."""

import argparse
import json
import multiprocessing
import sys
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Callable, ContextManager, DefaultDict, Dict, Iterator, List, NamedTuple, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
FONTS = ROOT / "font"

Contestant = Callable[[float], float]
"""Works for about so many seconds, and returns how many units it did a second."""


class Row(NamedTuple):
    """A figure; `ratio` is how many times the baseline of the same run it is, if there is one."""

    name: str
    value: float
    unit: str
    ratio: Optional[float] = None


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print an array of objects")
    return parser


def make_checkpoint_parser(doc: str, count: int) -> argparse.ArgumentParser:
    """Return a parser with the options of benchmarks that have a checkpoint read so many captchas."""
    parser = make_parser(doc)
    parser.add_argument("font_path", type=Path)
    parser.add_argument("--prefix", default="ocr")
    parser.add_argument("--count", type=int, default=count)
    return parser


def show(rows: List[Row], as_json: bool) -> None:
    """Print rows."""
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return
    width = max(len(row.name) for row in rows)
    for name, value, unit, ratio in rows:
        shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
        print(f"{name:<{width}}  {shown:>10} {unit:<10}" + ("" if ratio is None else f" {ratio:>8.2f}x"))


def repeating(work: Callable[[], int]) -> Contestant:
    """Return a contestant that repeats a piece of work, which returns how many units it did.

    The first fifth of its time does not count: caches warm up, and what queued up before is used up.
    """

    def contestant(seconds: float) -> float:
        _repeat(work, seconds / 5)
        done, passed = _repeat(work, seconds * 4 / 5)
        return done / passed

    return contestant


def _repeat(work: Callable[[], int], seconds: float) -> Tuple[int, float]:
    began, done, passed = time.perf_counter(), 0, 0.0
    while passed < seconds:
        done += work()
        passed = time.perf_counter() - began
    return done, passed


def speeds(contestants: Dict[str, Contestant], turn_s: float, rounds: int) -> Dict[str, float]:
    """Return how many units a second each contestant does.

    They take turns, so that all of them meet the same ups and downs of the machine, and the fastest turn of each
    counts: the rest is other load.
    """
    best = dict.fromkeys(contestants, 0.0)
    for _ in range(rounds):
        for name, contestant in contestants.items():
            best[name] = max(best[name], contestant(turn_s))
    return best


class Apart:
    """A contestant in a process of its own, so that the threads of two libraries do not meet in one.

    Any other function of one argument will do, too, if that and what it returns pickle.

    Parameters
    ----------
    make : callable
        Called there, returns a context manager that gives the contestant. It must pickle, as its arguments must.
    """

    def __init__(self, make: Callable[..., ContextManager[Contestant]], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, args))
        self._process.start()
        theirs.close()
        self._connection.recv()  # it is ready

    def __call__(self, request: Any) -> Any:
        """Take a turn of so many seconds, or whatever else it takes."""
        self._connection.send(request)
        return self._connection.recv()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, make: Callable[..., ContextManager[Contestant]], args: Tuple[Any, ...]) -> None:
    with make(*args) as contestant, suppress(EOFError, ConnectionError):
        connection.send(None)
        while True:
            connection.send(contestant(connection.recv()))


@contextmanager
def made_repeating(make_work: Callable[..., Callable[[], int]], *args: Any) -> Iterator[Contestant]:
    """Make a piece of work, and give the contestant that repeats it."""
    yield repeating(make_work(*args))


def train_command(fonts: Path, prefix: Path, settings: Dict[str, Any], *options: str) -> List[str]:
    """Return the command that trains with these settings of the recipe."""
    command = [sys.executable, str(ROOT / "lstm_ocr_train.py"), str(fonts), f"--prefix={prefix}", *options]
    return command + [f"--set={key}={value}" for key, value in settings.items()]


def memory_mb(root: int) -> float:
    """Return the memory of a process and all its descendants, in MB.

    It is the sum of their proportional set sizes, in which pages that several processes share count once.
    """
    children: DefaultDict[int, List[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # processes end
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(stat.parent.name))
    total, left = 0, [root]
    while left:
        pid = left.pop()
        left += children[pid]
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / 1e6
