"""Training steps of the network alone on one core and on all, beside busy neighbours, and whether bits depend on that.

Each of the recipes has as many parts of a batch as there are cores, each computed by a process of one thread; lines are
960 pixels wide. On one core the same parts are computed one after another. The neighbours are two processes that
compute without end; the ratio is to the same cores without them, or that of all cores to one. All take turns, and the
fastest turn of each counts. Beside that, a few steps with four parts are done by 1, 2 and 4 processes, which should
leave the network the same to the bit.

    python benchmarks/cores.py
"""

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import Dict, Iterator, List

from our_network import digest, on_all_cores, our_step
from report import Contestant, Row, make_parser, repeating, show, speeds

from ocr_lib.cores import usable_cores
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

TURN_S, ROUNDS = 1.0, 4
LINE_WIDTH = 960
RECIPES = ("captcha", "mxnet-ctc", "text-line")
NEIGHBOURS = 2
PROCESSES, STEPS = (1, 2, 4), 3


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Have so many processes compute."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measured(recipe: Recipe) -> List[Row]:
    """Return how fast the network is on one core and on all, alone and beside the neighbours."""
    found: Dict[str, float] = {}
    with ExitStack() as stack:
        counts = {"1 process": 1, f"{usable_cores()} processes": usable_cores()}
        contestants: Dict[str, Contestant] = {
            name: repeating(stack.enter_context(our_step(recipe, count, LINE_WIDTH))) for name, count in counts.items()
        }
        for _ in range(ROUNDS):
            for where, count in (("", 0), (" beside neighbours", NEIGHBOURS)):
                with neighbours(count):
                    for name, speed in speeds(contestants, TURN_S, 1).items():
                        found[name + where] = max(speed, found.get(name + where, 0.0))
    one, *_ = counts
    rows = []
    for name, speed in found.items():
        alone = name.split(" beside")[0]
        baseline = found[alone] if alone != name else found[one]
        rows.append(Row(f"{recipe.name}: {name}", speed, "samples/s", None if name == one else speed / baseline))
    return rows


def agreement(recipe: Recipe) -> Row:
    """Return how many numbers of processes leave the network as one process does."""
    recipe = override(recipe, [("training.parts", max(PROCESSES))])
    first, *others = (digest(recipe, count, STEPS, LINE_WIDTH) for count in PROCESSES)
    same = 1 + sum(other == first for other in others)
    return Row(f"{recipe.name}: same SHA-256 on {', '.join(map(str, PROCESSES))}", same, f"of {len(PROCESSES)}")


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    rows: List[Row] = []
    for name in RECIPES:
        recipe = load_preset(name)
        rows += [*measured(on_all_cores(recipe)), agreement(recipe)]
    show(rows, args.json)


if __name__ == "__main__":
    main()
