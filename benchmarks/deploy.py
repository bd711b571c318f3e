"""What a checkpoint costs and gives in each form in which it can be deployed.

Exact match and CER are of captchas that the `captcha` package renders on its own, the same ones for all forms. Speed is
that of the network alone, from prepared images to probabilities as an array, one image at a time (the median of the
calls, and what 99 of 100 do not exceed) and 128 at a time. Each form with each number of threads has a process of its
own; they take turns, and the best turn counts. Ratios are of speeds, or of sizes.

MXNet INT8 is the fused network, calibrated with the extremes over 512 samples; ONNX INT8 is calibrated with the same.
PyTorch runs eagerly, with batch normalisation folded into the convolutions; its dynamic INT8 is of LSTM and classifier.
The original example is MXNet's: its own unrolled graph, bound for one image, on MXNet's default engine and with as many
threads as MXNet takes by itself, whatever the column says; it is there if the checkpoint's network is of its kind.
Sizes are of the files that hold parameters (of PyTorch, the state dict); MXNet stores the quantized LSTM's weights as
float32. A fresh process is one that imports ocr_lib.deploy, loads the ONNX INT8 file, reads one image and ends.

    python benchmarks/deploy.py --prefix ocr font/
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from report import ROOT, Apart, Row, make_parser, repeating, show

from ocr_lib.recipe import Recipe, decode_json, encode_json, override
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import CER, EXACT, evaluate

# The contestants' processes import this module: it must load neither MXNet, whose settings are read from the
# environment and would be left there, nor another engine.

BATCH = 128
CALIBRATION = 512
COMPARED = 1000
THREADS = (1, 2)
ROUNDS = 4
WARM_UP_S, LATENCY_TURN_S, BATCH_TURN_S = 0.1, 0.9, 0.6
STARTS = 5
FIRST_EPOCH = "-0000.params"
IMAGES, RECIPE, WEIGHTS, ONE_IMAGE = "images.npy", "recipe.json", "weights.npz", "image.png"

UNROLLED, FUSED, MXNET_INT8 = "MXNet FP32 unrolled", "MXNet FP32 fused", "MXNet INT8"
ONNX, ONNX_INT8 = "ONNX FP32", "ONNX INT8"
PYTORCH, PYTORCH_INT8 = "PyTorch FP32", "PyTorch dynamic INT8"
ORIGINAL = "original example"
COLOURS = {"original": "grey", "MXNet": "tab:blue", "ONNX": "tab:green", "PyTorch": "tab:orange"}

Probabilities = Callable[[np.ndarray], np.ndarray]
"""A network: images (N, H, W) uint8 in, probabilities (T', N, C) out."""


class Form(NamedTuple):
    """The file that a form consists of, and what makes a network of its path and a number of threads."""

    file: str
    load: Callable[[Path, int], Probabilities]


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


def make_forms(prefix: str, font_path: Path, count: int, folder: Path) -> List[str]:
    """Write all forms but PyTorch's, images and what else the contestants need; return the texts of the images."""
    import cv2
    from accuracy import render

    from ocr_lib.data.fonts import find_fonts
    from ocr_lib.data.samples import load_samples
    from ocr_lib.deploy.export import export_onnx
    from ocr_lib.net.build import training_symbol
    from ocr_lib.net.checkpoint import load_arrays, load_checkpoint, numpy_weights
    from ocr_lib.net.weights import fold_batch_norms
    from ocr_lib.quant.int8 import quantize
    from ocr_lib.train.progress import Progress
    from ocr_lib.train.store import Store

    def save(name: str, symbol: Any, params: Dict[str, Any]) -> None:
        Store(str(folder / name)).commit(recipe, symbol, {"params": params}, Progress(), {}, is_best=True)

    checkpoint = load_checkpoint(prefix)
    recipe, weights = checkpoint.recipe, numpy_weights(checkpoint)
    cells = {cell: override(recipe, [("network.cell", cell)]) for cell in ("unrolled", "fused")}
    samples = load_samples(font_path, recipe, checkpoint.preparation, "validation", CALIBRATION)
    for cell, of_cell in cells.items():
        save(cell, training_symbol(of_cell), load_arrays(checkpoint.params_path))
    save("int8", *quantize(checkpoint._replace(recipe=cells["fused"]), samples.images))
    if is_like_original(recipe):
        save("original", *original_network(weights))
    for name, calibration in (("fp32", None), ("int8", samples.images)):
        data = export_onnx(recipe, weights, checkpoint.is_original, calibration=calibration)
        (folder / f"{name}.onnx").write_bytes(data)
    np.savez(folder / WEIGHTS, **fold_batch_norms(weights))
    (folder / RECIPE).write_bytes(encode_json(recipe))
    images, texts = render(recipe, find_fonts(font_path, recipe.text.alphabet, recipe.captcha.font_sizes), count)
    cv2.imwrite(str(folder / ONE_IMAGE), images[0])
    np.save(folder / IMAGES, np.stack([checkpoint.preparation.prepare(image) for image in images]))
    return texts


def is_like_original(recipe: Recipe) -> bool:
    """Return whether a network has the layers and sizes of the original example's."""
    import original_example_training as example

    network, image = recipe.network, recipe.image
    found = (network.layers, network.hidden, recipe.alphabet.num_classes, image.width, image.height)
    theirs = (example.LAYERS, example.HIDDEN, example.CLASSES, example.STEPS, example.ROWS)
    return not network.convolutions and not network.bidirectional and found == theirs


def original_network(weights: Dict[str, np.ndarray]) -> Tuple[Any, Dict[str, Any]]:
    """Return the original example's symbol, and parameters for it."""
    import original_example_training as example

    from ocr_lib.mx import mx

    # Its gates are in the order i, c, f, o, and ours i, f, c, o.
    arrays = {
        name: array.reshape(4, example.HIDDEN, -1)[[0, 2, 1, 3]].reshape(array.shape) if "2h_" in name else array
        for name, array in weights.items()
    }
    return example._symbol(), {f"arg:{name}": mx.nd.array(array) for name, array in arrays.items()}


def mxnet(path: Path, threads: int, batch_size: int = BATCH) -> Probabilities:
    """Load a checkpoint; MXNet takes its number of threads from the environment."""
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.net.reader import Reader

    return Reader(load_checkpoint(str(path)[: -len(FIRST_EPOCH)]), batch_size).probabilities


def original(path: Path, threads: int) -> Probabilities:
    """Load a checkpoint, and run it as the original example's script does."""
    from original_example_training import _as_installed

    _as_installed()
    return mxnet(path, threads, batch_size=1)


def onnx_runtime(path: Path, threads: int) -> Probabilities:
    """Load an ONNX file."""
    from ocr_lib.deploy import Predictor

    return Predictor(path, threads=threads).probabilities


def pytorch(path: Path, threads: int) -> Probabilities:
    """Make a network for PyTorch, and write its state dict."""
    from pytorch_network import load

    recipe = decode_json((path.parent / RECIPE).read_bytes(), Recipe, RECIPE)
    with np.load(path.parent / WEIGHTS) as weights:
        return load(recipe, dict(weights), threads, path.stem == "int8", path)


FORMS = {
    ORIGINAL: Form(f"original{FIRST_EPOCH}", original),
    UNROLLED: Form(f"unrolled{FIRST_EPOCH}", mxnet),
    FUSED: Form(f"fused{FIRST_EPOCH}", mxnet),
    MXNET_INT8: Form(f"int8{FIRST_EPOCH}", mxnet),
    ONNX: Form("fp32.onnx", onnx_runtime),
    ONNX_INT8: Form("int8.onnx", onnx_runtime),
    PYTORCH: Form("fp32.pt", pytorch),
    PYTORCH_INT8: Form("int8.pt", pytorch),
}


@contextmanager
def contestant(form: Form, folder: Path, threads: int) -> Iterator[Callable[[Callable[[Probabilities], Any]], Any]]:
    """Give a function that has a form do a job, in a process that has loaded no engine yet."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    probabilities = form.load(folder / form.file, threads)
    yield lambda job: job(probabilities)


def read(images: np.ndarray, probabilities: Probabilities) -> np.ndarray:
    """Put all images through a network."""
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    return np.concatenate([probabilities(batch) for batch in batches], axis=1)


def take_turn(images: np.ndarray, probabilities: Probabilities) -> Turn:
    """Measure a network for a while."""
    one, batch = images[:1], np.resize(images, (BATCH, *images.shape[1:]))  # repeats images if there are fewer
    latencies(one, probabilities, WARM_UP_S)
    median, p99 = np.percentile(latencies(one, probabilities, LATENCY_TURN_S), [50, 99]).tolist()
    return Turn(median, p99, repeating(lambda: probabilities(batch).shape[1])(BATCH_TURN_S))


def latencies(images: np.ndarray, probabilities: Probabilities, seconds: float) -> List[float]:
    """Return how many milliseconds each call takes."""
    found = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        probabilities(images)
        found.append(1000 * (time.perf_counter() - began))
    return found


def best(turns: Sequence[Turn]) -> Turn:
    """Return the latencies of the turn whose median is least, and the best speed."""
    return min(turns)._replace(images_per_s=max(turn.images_per_s for turn in turns))


def measure(forms: Dict[str, Form], folder: Path, texts: List[str]) -> Tuple[Dict[str, Figures], float]:
    """Return the figures of each form, and the largest difference that ONNX makes to the probabilities."""
    alphabet = decode_json((folder / RECIPE).read_bytes(), Recipe, RECIPE).alphabet
    images = np.load(folder / IMAGES)
    with ExitStack() as stack:
        running = {
            (name, threads): stack.enter_context(Apart(contestant, form, folder, threads))
            for name, form in forms.items()
            for threads in THREADS
        }
        found = {name: running[name, THREADS[-1]](partial(read, images)) for name in forms}
        turn = partial(take_turn, images[:BATCH])
        rounds = [{key: process(turn) for key, process in running.items()} for _ in range(ROUNDS)]
    figures = {}
    for name, form in forms.items():
        scores = evaluate(texts, [alphabet.decode(ids) for ids in best_path(found[name])], [EXACT, CER])
        turns = {threads: best([turns[name, threads] for turns in rounds]) for threads in THREADS}
        size = (folder / form.file).stat().st_size / 1000
        figures[name] = Figures(100 * scores[EXACT.name], 100 * scores[CER.name], size, turns)
    return figures, float(np.abs(found[ONNX] - found[FUSED])[:, :COMPARED].max())


def fresh_process_s(folder: Path) -> float:
    """Return the seconds in which a process of its own reads one image."""
    code = "import sys; from ocr_lib.deploy import Predictor; Predictor(sys.argv[1]).predict(sys.argv[2])"
    command = [sys.executable, "-c", code, str(folder / FORMS[ONNX_INT8].file), str(folder / ONE_IMAGE)]
    seconds = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run(command, check=True, cwd=ROOT)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


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


def main() -> None:
    """Print tables, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("font_path", type=Path)
    parser.add_argument("--prefix", default="ocr")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw speeds and exact match")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            texts = process.submit(make_forms, args.prefix, args.font_path, args.count, folder).result()
        has_pytorch = importlib.util.find_spec("torch") is not None
        if not has_pytorch:
            print("PyTorch is not installed: figures without it", file=sys.stderr)
        forms = {
            name: form
            for name, form in FORMS.items()
            if (has_pytorch if form.load is pytorch else (folder / form.file).exists())
        }
        figures, difference = measure(forms, folder, texts)
        seconds = fresh_process_s(folder)
    others = [
        *comparisons(figures),
        Row(f"{ONNX} and {FUSED}: largest difference of probabilities", difference, ""),
        Row("fresh process, one image", seconds, "s"),
    ]
    if args.json:
        show(rows_of(figures) + others, True)
    else:
        print_table(figures)
        show(others, False)
    if args.plot:
        plot(figures, args.count, args.plot)


if __name__ == "__main__":
    main()
