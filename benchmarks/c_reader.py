"""The C reader against ONNX Runtime's INT8 network: milliseconds an image on one thread, in turns, in one process.

Weights are random, which costs the same. Usage: ``python benchmarks/c_reader.py [preset] [--cc CC]``
"""

import argparse
import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, List, Tuple

import msgspec
import numpy as np

from ocr_lib.deploy.c_source import c_files, memory_bytes
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
CFLAGS = ["-O3", "-march=native", "-DOCR_FAST"]
HARNESS = """
#include "ocr_reader.h"
static ocr_reader reader;
int open_model(void) { return (int)ocr_open(&reader, ocr_model, ocr_model_size); }
int read_image(const uint8_t *image, uint32_t width) { return (int)ocr_read(&reader, image, width); }
int read_images(const uint8_t *images, uint32_t count, uint32_t width)
{
    int error = 0;
    for (uint32_t i = 0; i < count; i++)
        error |= read_image(images + (size_t)i * reader.height * width, width);
    return error;
}
unsigned memory(void) { return (unsigned)sizeof reader; }
"""


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


def c_reader(recipe: Recipe, weights: Weights, images: np.ndarray, cc: str) -> Tuple[Callable[[], None], List[str]]:
    """Compile a reader; returns what reads all images, and words on its size."""
    network = integer_network(recipe, weights)
    files = c_files(network, recipe, list(images))
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**files, "harness.c": HARNESS.encode()}.items():
            Path(folder, name).write_bytes(data)
        sources = ["ocr_reader.c", "model.c", "harness.c"]
        library = str(Path(folder, "reader.so"))
        subprocess.run([cc, "-std=c99", *CFLAGS, "-shared", "-fPIC", "-o", library, *sources], cwd=folder, check=True)
        subprocess.run(["make", "-s", "test", f"CC={cc}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        loaded = ctypes.CDLL(library)
    assert loaded.open_model() == 0
    prepared = np.ascontiguousarray(images)
    pointer = prepared.ctypes.data_as(ctypes.c_char_p)

    def read() -> None:
        assert loaded.read_images(pointer, len(prepared), prepared.shape[2]) == 0

    memory = memory_bytes(network, recipe)
    words = [f"model {len(files['model.bin']):,} bytes", f"RAM {memory.ram:,}", f"{loaded.memory():,} where fast"]
    return read, words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", default="captcha")
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
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
        runs[name], words[name] = c_reader(recipe, random_weights(recipe), images, args.cc)
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
