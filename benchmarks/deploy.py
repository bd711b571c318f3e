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
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
from deploy_figures import THREADS, Figures, Turn, comparisons, plot, print_table, rows_of
from forms import (
    BATCH,
    FORMS,
    FUSED,
    IMAGES,
    ONE_IMAGE,
    ONNX,
    ONNX_INT8,
    RECIPE,
    Form,
    Probabilities,
    make_forms,
    pytorch,
)
from report import ROOT, Apart, Row, make_checkpoint_parser, repeating, show

from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import CER, EXACT, evaluate

# The contestants' processes import this module too: see forms.py for what it must not load.

COMPARED = 1000
ROUNDS = 4
WARM_UP_S, LATENCY_TURN_S, BATCH_TURN_S = 0.1, 0.9, 0.6
STARTS = 5


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


def main() -> None:
    """Print tables, or with --json an array of objects."""
    parser = make_checkpoint_parser(__doc__, 5000)
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
