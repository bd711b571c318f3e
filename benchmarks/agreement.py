"""Largest differences between things that should be the same: the two losses, and the two forms of the LSTM.

python benchmarks/agreement.py
"""

import time
from typing import Dict, List, Tuple

import numpy as np
from report import Row, make_parser, show

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

BATCHES = 10


def outputs_and_gradients(
    recipe: Recipe, params: Dict[str, np.ndarray], data: np.ndarray, label: np.ndarray
) -> Tuple[List[np.ndarray], float]:
    """Return outputs and gradients of a training step, and the milliseconds that it took."""
    executor = training_symbol(recipe).simple_bind(mx.cpu(), data=data.shape, label=label.shape)
    executor.copy_params_from({name: mx.nd.array(array) for name, array in params.items()})
    for _ in range(2):  # the first warms up
        began = time.perf_counter()
        executor.forward(is_train=True, data=mx.nd.array(data), label=mx.nd.array(label))
        executor.backward()
        mx.nd.waitall()
        milliseconds = 1000 * (time.perf_counter() - began)
    arrays = [output.asnumpy() for output in executor.outputs]
    gradients = executor.grad_dict
    return arrays + [gradients[name].asnumpy() for name in sorted(gradients) if name != "label"], milliseconds


def random_batch(recipe: Recipe, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Return noise and labels of varying lengths, of few digits, so that many repeat."""
    count = recipe.training.batch_size
    data = rng.random((count, recipe.image.width, recipe.image.height)).astype(np.float32)
    texts = ["".join(rng.choice(list("0123"), rng.integers(1, 5))) for _ in range(count)]
    return data, recipe.alphabet.encode_batch(texts, recipe.text.max_length)


def compare(one: Recipe, other: Recipe) -> Tuple[float, float]:
    """Return the largest difference over some batches, and how many times faster `other` is."""
    rng = np.random.default_rng(0)
    shapes, _, _ = training_symbol(one).infer_shape(
        data=(one.training.batch_size, one.image.width, one.image.height),
        label=(one.training.batch_size, one.text.max_length),
    )
    names = training_symbol(one).list_arguments()
    worst, seconds = 0.0, [0.0, 0.0]
    for _ in range(BATCHES):
        params = {
            name: rng.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
            for name, shape in zip(names, shapes)
            if name not in ("data", "label")
        }
        data, label = random_batch(one, rng)
        results = [outputs_and_gradients(recipe, params, data, label) for recipe in (one, other)]
        scale = 1 / one.training.batch_size  # gradients as the optimizer sees them: of the mean cost
        for k, (a, b) in enumerate(zip(results[0][0], results[1][0])):
            worst = max(worst, float(np.abs(a - b).max()) * (1 if k < 2 else scale))
        seconds = [total + result[1] for total, result in zip(seconds, results)]
    return worst, seconds[0] / seconds[1]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    fused = load_preset("mxnet-ctc")
    captcha = load_preset("captcha")
    pairs = {
        "mxnet-ctc: unrolled, fused": (override(fused, [("network.cell", "unrolled")]), fused),
        "captcha: unrolled, fused": (override(captcha, [("network.cell", "unrolled")]), captcha),
        "mxnet-ctc: ctc, warpctc": (fused, override(fused, [("training.loss", "warpctc")])),
        "captcha: ctc, warpctc": (captcha, override(captcha, [("training.loss", "warpctc")])),
    }
    rows = []
    for name, (one, other) in pairs.items():
        try:
            difference, ratio = compare(one, other)
        except OCRError as error:
            print(f"{name}: {error}")
            continue
        rows.append(Row(name, difference, "largest difference", ratio))
    show(rows, args.json)


if __name__ == "__main__":
    main()
