"""The C reader against ONNX Runtime's INT8 network: milliseconds an image on one thread, in turns, in one process.

Weights are random, which costs the same. Usage: ``python benchmarks/c_reader.py [preset] [--cc CC]``
"""

import argparse
import time
from functools import partial

import msgspec
import numpy as np
from c_harness import COMPILER, CReader

from ocr_lib.deploy.c_source import memory_bytes
from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.predictor import Predictor
from ocr_lib.fixed.build import integer_network
from ocr_lib.fixed.steps import LOG2_STEP
from ocr_lib.net.weights import Weights, weight_shapes
from ocr_lib.quant.info import quantized_recipe
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset

IMAGES, ROUNDS = 20, 60


def random_weights(recipe: Recipe, seed: int = 0) -> Weights:
    """Return weights with steps such that nothing is 0 throughout, nor cut off."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(recipe).items():
        if name.endswith(LOG2_STEP):
            step = -11 if "cell" in name else -13 if "bias" in name else -3 if "weight" in name else -4
            weights[name] = np.full(shape, step, np.float32)
        else:
            weights[name] = rng.normal(0, 0.25, shape).astype(np.float32)
    return weights


def read_all(reader: CReader, images: np.ndarray) -> None:
    for image in images:
        reader.read(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", default="captcha")
    parser.add_argument("--cc", default=COMPILER)
    args = parser.parse_args()
    preset = load_preset(args.preset)
    size = (IMAGES, preset.image.height, preset.image.width or 256)
    images = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)

    folded = msgspec.structs.replace(quantized_recipe(preset, parse_shorthand("W8A8")), quantization=None)
    data = export_onnx(folded, random_weights(folded), calibration=images)
    predictor = Predictor(data, threads=1)

    def run_onnx() -> None:
        for image in images:
            predictor.log_probabilities(image[None])

    runs, words = {"ONNX Runtime INT8": run_onnx}, {"ONNX Runtime INT8": [f"model {len(data):,} bytes"]}
    for shorthand in ("W8A8", "W4A4"):
        recipe = quantized_recipe(preset, parse_shorthand(shorthand))
        name = f"C {shorthand}"
        network = integer_network(recipe, random_weights(recipe))
        reader = CReader(network, recipe, list(images), args.cc)
        runs[name] = partial(read_all, reader, images)
        ram = memory_bytes(network, recipe).ram
        words[name] = [f"model {reader.model_bytes:,} bytes", f"RAM {ram:,}", f"{reader.memory:,} where fast"]
    seconds = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - begin) / IMAGES)
    onnx = np.array(seconds["ONNX Runtime INT8"])
    for name, each in seconds.items():
        ratio = onnx.min() / min(each)
        print(f"{name}: {1e3 * min(each):.3f} ms an image, {ratio:.2f} times as fast; {', '.join(words[name])}")


if __name__ == "__main__":
    main()
