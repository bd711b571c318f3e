"""What was found of the forms of a checkpoint, as rows, as a table and as a picture."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
from forms import BATCH, FUSED, MXNET_INT8, ONNX, ONNX_INT8, ORIGINAL, PYTORCH_INT8, UNROLLED
from report import Row

THREADS = (1, 2)
COLOURS = {"original": "grey", "MXNet": "tab:blue", "ONNX": "tab:green", "PyTorch": "tab:orange"}


class Turn(NamedTuple):
    """Milliseconds for one image, and images a second by `BATCH`."""

    median: float
    p99: float
    images_per_s: float

    def speed(self, batch: int) -> float:
        """Return the images a second, in batches of 1 or `BATCH`."""
        return 1000 / self.median if batch == 1 else self.images_per_s


class Figures(NamedTuple):
    """What was found of a form; turns by the number of threads."""

    exact: float
    cer: float
    kilobytes: float
    turns: Dict[int, Turn]


def on(threads: int) -> str:
    """Name a number of threads."""
    return f"{threads} thread" + "s" * (threads > 1)


def rows_of(figures: Dict[str, Figures]) -> List[Row]:
    """Return the table as rows."""
    rows = []
    for name, (exact, cer, kilobytes, turns) in figures.items():
        rows += [Row(f"{name}: exact match", exact, "%"), Row(f"{name}: CER", cer, "%")]
        rows.append(Row(f"{name}: file", kilobytes, "KB"))
        for threads, turn in turns.items():
            rows += [
                Row(f"{name}: one image, median, {on(threads)}", turn.median, "ms"),
                Row(f"{name}: one image, p99, {on(threads)}", turn.p99, "ms"),
                Row(f"{name}: {BATCH} images, {on(threads)}", turn.images_per_s, "images/s"),
            ]
    return rows


def comparisons(figures: Dict[str, Figures]) -> List[Row]:
    """Return the figures of forms whose ratio is to another."""
    slow = ORIGINAL if ORIGINAL in figures else UNROLLED
    pairs = [
        (MXNET_INT8, FUSED, (BATCH, 1)),
        (ONNX_INT8, slow, (1,)),
        (ONNX_INT8, ONNX, (BATCH, 1)),
        (ONNX_INT8, PYTORCH_INT8, (BATCH,)),
    ]
    rows = []
    for name, other, batches in pairs:
        for batch in batches if other in figures else ():
            for threads in THREADS:
                speed, base = (figures[form].turns[threads].speed(batch) for form in (name, other))
                what = f"{name} / {other}: {'one image' if batch == 1 else f'{batch} images'}"
                rows.append(Row(f"{what}, {on(threads)}", speed, "images/s", speed / base))
    for name, other in ((MXNET_INT8, FUSED), (ONNX_INT8, ONNX)):
        lost = figures[other].exact - figures[name].exact
        rows.append(Row(f"{name}: exact match lost against {other}", lost, "points"))
    size = figures[ONNX_INT8].kilobytes
    return [*rows, Row(f"{ONNX_INT8} / {ONNX}: file", size, "KB", size / figures[ONNX].kilobytes)]


def print_table(figures: Dict[str, Figures]) -> None:
    """Print a line a form."""
    layout = "{:<20} {:>7} {:>6} {:>6}   {:>15} {:>15}   {:>9} {:>9}".format
    threads = [on(count) for count in THREADS]
    speeds = f"{'one image, median / p99 in ms':>31}   {f'{BATCH} at a time, 1/s':>19}"
    print(f"{'':<20} {'exact':>7} {'CER':>6} {'file':>6}   {speeds}")
    print(layout("", "%", "%", "KB", *threads, *threads))
    for name, (exact, cer, kilobytes, turns) in figures.items():
        latency = [f"{turn.median:.2f} / {turn.p99:.2f}" for turn in turns.values()]
        throughput = [f"{turn.images_per_s:,.0f}" for turn in turns.values()]
        print(layout(name, f"{exact:.2f}", f"{cer:.2f}", f"{kilobytes:,.0f}", *latency, *throughput))
    print()


def plot(figures: Dict[str, Figures], count: int, path: Path) -> None:
    """Draw speeds, and exact match with its 95 % intervals, as a PNG."""
    from matplotlib.figure import Figure

    names = list(figures)
    colours = [COLOURS[name.split()[0]] for name in names]
    turns = [found.turns[THREADS[-1]] for found in figures.values()]
    figure = Figure(figsize=(13, 1.2 + 0.42 * len(names)), layout="constrained")
    *speeds, accuracy = figure.subplots(1, 3, sharey=True)
    medians, throughputs = [turn.median for turn in turns], [turn.images_per_s for turn in turns]
    titles = f"{BATCH} at a time, images/s, {on(THREADS[-1])}", f"one image, median ms, {on(THREADS[-1])}"
    for axis, title, values, layout in zip(speeds, titles, (throughputs, medians), ("{:,.0f}", "{:.2f}")):
        bars = axis.barh(names, values, color=colours)
        for bar, name in zip(bars, names):
            bar.set_alpha(1 if "INT8" in name else 0.55)
        axis.bar_label(bars, [layout.format(value) for value in values], padding=3, fontsize=9)
        axis.margins(x=0.17)
        axis.set_title(title, fontsize=11)
    exact = np.array([found.exact for found in figures.values()])
    low, high = wilson(exact / 100, count)
    accuracy.hlines(names, 100 * low, 100 * high, colors=colours, linewidth=2)
    accuracy.scatter(exact, names, c=colours)
    for name, value in zip(names, exact):
        accuracy.annotate(f"{value:.2f}", (value, name), (0, 6), textcoords="offset points", ha="center", fontsize=9)
    accuracy.margins(x=0.1, y=0.09)
    accuracy.set_title("exact match, %, and 95 % intervals", fontsize=11)
    accuracy.invert_yaxis()  # of all three
    figure.savefig(path, format="png", dpi=100)


def wilson(shares: np.ndarray, count: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return the 95 % intervals of shares of so many trials (Wilson, JASA 22, 1927)."""
    z2 = 1.96**2 / count
    half = np.sqrt(shares * (1 - shares) * z2 + z2**2 / 4)
    return (shares + z2 / 2 - half) / (1 + z2), (shares + z2 / 2 + half) / (1 + z2)
