"""What benchmarks/scaling.py measures on one core: parts of batches, updates of a network, and pushing and pulling.

MXNet is loaded with one thread for parts and updates, but as it comes for the processes that push, pull and serve.
"""

import json
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

import numpy as np
from machines import SERVER, SPREAD_FROM, cluster, running
from our_network import fixed_batch
from report import FONTS

from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.training.layout import Layout

LINE_WIDTH = 640
TURN_S = 1.0
FIGURES = "figures"


class Costs(NamedTuple):
    """Bytes of a gradient (4 a number), and seconds: of an update, of a push and pull (c0, m, and c a byte)."""

    size: int
    update: float
    fixed: float
    message: float
    byte: float


def typical(work: Callable[[], object], seconds: float = TURN_S) -> float:
    """Return the median of the seconds that a piece of work takes, again and again."""
    work()
    times: List[float] = []
    while not times or sum(times) < seconds:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def part_seconds(recipe: Recipe, samples: int) -> float:
    """Return how long a part of so many samples takes: drawing them, and the network there and back."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when MXNet is loaded
    from ocr_lib.draw.fonts import find_fonts
    from ocr_lib.feed.source import CaptchaSource
    from ocr_lib.training.initial import fill, initial_weights
    from ocr_lib.training.memory import SharedVectors
    from ocr_lib.training.part import STATE, PartNetwork, Training

    recipe = override(recipe, [("training.batch_size", samples), ("training.parts", 1)])
    layout = Layout(recipe)
    memory = SharedVectors(STATE + 2, layout.size)
    fill(layout.views(memory.array[STATE]), initial_weights(recipe))
    network, batch = PartNetwork(recipe, memory), fixed_batch(recipe, LINE_WIDTH)
    seconds = typical(lambda: network(Training(STATE + 1, 0, batch)))
    if recipe.image.width is None:
        return seconds
    source = CaptchaSource(recipe, find_fonts(FONTS, recipe.text.alphabet, recipe.captcha.font_sizes))
    return seconds + typical(lambda: source(("train", range(samples))), TURN_S / 4)


def update_seconds(recipe: Recipe) -> float:
    """Return how long summing the parts of a batch and updating the network take."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when MXNet is loaded
    from ocr_lib.training.kernels import sum_rows
    from ocr_lib.training.optimizer import Optimizer, clipped

    layout, training = Layout(recipe), recipe.training
    optimizer = Optimizer(training, layout, 1000)
    rows = np.full((training.parts, layout.size), 1e-3, np.float32)
    total, state = rows[0].copy(), rows[0].copy()

    def update() -> None:
        gradients = total[: layout.trained]
        sum_rows(rows, gradients)
        optimizer.update(state, total, clipped(gradients, 1e-3, training.clip_norm))

    return typical(update)


def push(sizes: List[int]) -> None:
    """Print how long pushing and pulling so many numbers takes, as the worker of a cluster."""
    from ocr_lib.training.exchange import connect

    exchange, found = connect("dist_sync"), []
    for size in sizes:
        vector = np.zeros(size, np.float32)
        found.append(typical(partial(exchange.sum, f"vector of {size}", vector)))
    exchange.close()
    print(FIGURES, json.dumps(found))


def push_seconds(sizes: List[int]) -> List[float]:
    """Return how long pushing and pulling so many numbers takes with a worker and two servers on this core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **cluster("127.0.0.1", port, 1, 2),
        "DMLC_NODE_HOST": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as start:
        for role in ("scheduler", "server", "server"):
            start(role, SERVER, {**shared, "DMLC_ROLE": role})
        code = f"import scaling_costs; scaling_costs.push({sizes})"
        start("worker", [sys.executable, "-c", code], {**shared, "DMLC_ROLE": "worker"}).wait()
        said = Path(name, "worker").read_text()
    answer = re.search(rf"^{FIGURES} (.*)$", said, re.MULTILINE)
    if not answer:
        raise SystemExit(f"{said}pushing failed")
    return json.loads(answer[1])


def measured(presets: List[str]) -> Dict[str, Costs]:
    """Return what updating and exchanging the network of each preset costs."""
    recipes, least = [load_preset(preset) for preset in presets], int(SPREAD_FROM)
    sizes = [Layout(recipe).size + 3 for recipe in recipes]
    one, two, *whole = push_seconds([least // 2, 2 * least, *sizes])
    costs = {}
    for recipe, size, seconds in zip(recipes, sizes, whole):
        byte = max(0.0, seconds - two) / (4 * size)
        costs[recipe.name] = Costs(4 * size, update_seconds(recipe), one, max(0.0, two - one), byte)
    return costs
