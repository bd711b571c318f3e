"""What a cost model predicts of training on 1 to 64 machines, from what is measured on one core of this one.

With W machines a step takes, for a gradient of G bytes (4 a number; with servers twice that where W > 2, and a peak of
each block from every machine, so that sums are exact), a network of B bytes/s each way and of latency L, and S servers
on S of the machines,

    T = parts + samples + update + exchange

    parts     those that a machine has, one after another, each timed at its size on one thread; over --speed
    samples   drawing those captchas; lines are read from disk, which is left out; over --speed
    update    summing the machine's parts, the gradients' norm, the optimizer
    exchange  servers  c0 + m ((S + W) / 2 - 1) + c G (1 + W / S) / 2 + 2 (W - 1) / S G / B + 4 L
              ring     c0 + m (W - 1) + c G (W - 1) / W + 2 (W - 1) / W G / B + 2 (W - 1) L

Servers: every worker pushes G and then pulls it, G / S to and from each server. Into the link of a server's machine
come (W - 1) G / S, from all workers but its own; when these pull, as much goes out; nothing overlaps, as a server
answers once all have pushed. Request and answer, twice, are 4 L. With a server on each machine, S = W, that is
2 (W - 1) / W G / B, as in the ring all-reduce (Patarasuk and Yuan 2009), which takes 2 (W - 1) rounds of G / W.

The processor: c0 + c G + m is what pushing and pulling G takes where worker and two servers share one core, measured;
m is what a further message takes, of which a worker has S and a server W. Of c, the worker has one half, and the
servers together the other for each worker. Moving a byte in a ring is taken to cost as much as with ps-lite. One
machine exchanges nothing. Efficiency is the speed over W times that of one machine.

The batch is fixed, as the preset has it, and its parts are shared out (there are as many as machines, if these are
more than the preset's parts); or it grows with the machines. With --check, what is predicted for two machines is
compared with what benchmarks/machines.py measured: its machine beside another that does the same, as cores of one
computer slow each other down, gives the first two terms, and each of the two has half of these. Run both when the
computer does nothing else: medians and means count here, not the fastest turns.

    python benchmarks/scaling.py
"""

import json
import os
import re
from argparse import Namespace
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

from machines import BESIDE
from report import Row, make_parser, show
from scaling_costs import Costs, measured, part_seconds

from ocr_lib.recipe.settings import load_preset
from ocr_lib.training.exact_sums import BLOCK

PRESETS = ("captcha", "text-line", "crnn")
MACHINES = (1, 2, 4, 8, 16, 32, 64)
GIGABITS, LATENCY_US = [1.0, 10.0, 25.0, 100.0], 50.0


class Network(NamedTuple):
    """Bytes a second each way, seconds, and the number of servers, 0 for one on each machine."""

    speed: float
    latency: float
    servers: int = 0


def servers_exchange(costs: Costs, network: Network, count: int) -> float:
    """Return the seconds that the exchange with parameter servers takes."""
    servers = min(network.servers or count, count)
    size = costs.size * (2 + count / BLOCK if count > 2 else 1)
    work = costs.fixed + costs.message * ((servers + count) / 2 - 1) + costs.byte * size * (1 + count / servers) / 2
    return work + 2 * (count - 1) / servers * size / network.speed + 4 * network.latency


def ring_exchange(costs: Costs, network: Network, count: int) -> float:
    """Return the seconds that a ring all-reduce takes."""
    share = (count - 1) / count * costs.size
    work = costs.fixed + costs.message * (count - 1) + costs.byte * share
    return work + 2 * share / network.speed + 2 * (count - 1) * network.latency


METHODS: Dict[str, Callable[[Costs, Network, int], float]] = {"servers": servers_exchange, "ring": ring_exchange}


def predicted(preset: str, costs: Costs, args: Namespace) -> List[Row]:
    """Return the speeds with each number of machines."""
    recipe = load_preset(preset)
    training = recipe.training
    times: Dict[int, float] = {}
    rows: List[Row] = []
    for growing in (False, True):
        for count in MACHINES if growing else [n for n in MACHINES if n <= training.batch_size]:
            parts = training.parts if growing else max(training.parts, count)
            samples = -(-training.batch_size // parts)
            if samples not in times:
                times[samples] = part_seconds(recipe, samples) / args.speed
            own = parts if growing else -(-parts // count)
            for method, exchange in METHODS.items():
                for gigabits in args.gigabits:
                    network = Network(gigabits * 1e9 / 8, args.latency * 1e-6, args.servers)
                    step = own * times[samples] + costs.update
                    step += exchange(costs, network, count) if count > 1 else 0.0
                    batch = training.batch_size * (count if growing else 1)
                    name = f"{preset}, {'growing' if growing else 'fixed'} batch, {method}, {gigabits:g} Gbit/s"
                    first = next((row.value for row in rows if row.name == f"{name}: 1"), batch / step)
                    rows.append(Row(f"{name}: {count}", batch / step, "samples/s", batch / step / first))
    return rows


def table(rows: List[Row]) -> None:
    """Print samples/s and efficiency by number of machines."""
    cells: Dict[str, str] = {}
    for row in rows:
        name, _, count = row.name.rpartition(": ")
        cells[name] = cells.get(name, "") + f"{row.value:>10,.0f} {100 * (row.ratio or 0) / int(count):>3.0f} %"
    width = max(map(len, cells))
    print(f"{'samples/s, efficiency':<{width}}" + "".join(f"{count:>16}" for count in MACHINES))
    for name, line in cells.items():
        print(f"{name:<{width}}{line}")


def compared(path: Path, latency: float) -> List[Row]:
    """Return how far off the speeds of two machines are that are predicted from that of one."""
    found = {row["name"]: row["value"] for row in json.loads(path.read_text())}
    presets = [name.partition(":")[0] for name in found if name.endswith(": a batch")]
    rows = []
    for preset, costs in measured(presets).items():
        batch = found[f"{preset}: a batch"]
        alone = batch / found[f"{preset}: {BESIDE}"]
        for name, speed in found.items():
            match = re.fullmatch(rf"{preset}: 2 machines, ([\d.]+) Gbit/s", name)
            if match:
                network = Network(float(match[1]) * 1e9 / 8, latency)
                step = (alone - costs.update) / 2 + costs.update + servers_exchange(costs, network, 2)
                rows.append(Row(f"{name}: predicted", batch / step, "samples/s", batch / step / speed))
                rows.append(Row(f"{name}: deviation", 100 * (batch / step / speed - 1), "%"))
    return rows


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("--preset", action="append", choices=PRESETS, help="one of several (default: all)")
    parser.add_argument("--gigabits", type=float, nargs="+", default=GIGABITS, help="Gbit/s of the network")
    parser.add_argument("--latency", type=float, default=LATENCY_US, help="of the network, in microseconds")
    parser.add_argument("--servers", type=int, default=0, help="how many (default: one on each machine)")
    parser.add_argument("--speed", type=float, default=1.0, help="of a machine, in cores of this one (default: 1)")
    parser.add_argument("--check", type=Path, metavar="JSON", help="compare with what machines.py --json printed")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if args.check:
        show(compared(args.check, args.latency * 1e-6), args.json)
        return
    rows, costs = [], measured(args.preset or list(PRESETS))
    for preset, of_preset in costs.items():
        names = ("gradient", "bytes"), ("update", "s"), ("exchange", "s"), ("message", "s"), ("byte", "s")
        rows += [Row(f"{preset}: {name}", value, unit) for (name, unit), value in zip(names, of_preset)]
    if not args.json:
        show(rows, False)
    speeds = [row for preset, of_preset in costs.items() for row in predicted(preset, of_preset, args)]
    if args.json:
        show(rows + speeds, True)
    else:
        table(speeds)


if __name__ == "__main__":
    main()
