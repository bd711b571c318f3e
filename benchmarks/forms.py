"""The forms in which a checkpoint can be deployed: how each is written, and loaded as a network."""

from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json, encode_json, override

# The contestants' processes import this module: it must load neither MXNet, whose settings are read from the
# environment and would be left there, nor another engine.

BATCH = 128
CALIBRATION = 512
FIRST_EPOCH = "-0000.params"
IMAGES, RECIPE, WEIGHTS, ONE_IMAGE = "images.npy", "recipe.json", "weights.npz", "image.png"

UNROLLED, FUSED, MXNET_INT8 = "MXNet FP32 unrolled", "MXNet FP32 fused", "MXNet INT8"
ONNX, ONNX_INT8 = "ONNX FP32", "ONNX INT8"
PYTORCH, PYTORCH_INT8 = "PyTorch FP32", "PyTorch dynamic INT8"
ORIGINAL = "original example"

Probabilities = Callable[[np.ndarray], np.ndarray]
"""A network: images (N, H, W) uint8 in, probabilities (T', N, C) out."""


class Form(NamedTuple):
    """The file that a form consists of, and what makes a network of its path and a number of threads."""

    file: str
    load: Callable[[Path, int], Probabilities]


def make_forms(prefix: str, font_path: Path, count: int, folder: Path) -> List[str]:
    """Write all forms but PyTorch's, images and what else the contestants need; return the texts of the images."""
    import cv2
    from accuracy import render

    from ocr_lib.deploy.export import export_onnx
    from ocr_lib.draw.fonts import find_fonts
    from ocr_lib.feed.samples import load_samples
    from ocr_lib.net.build import training_symbol
    from ocr_lib.net.checkpoint import load_arrays, load_checkpoint, numpy_weights
    from ocr_lib.net.weights import fold_batch_norms
    from ocr_lib.quant.int8 import quantize
    from ocr_lib.training.progress import Progress
    from ocr_lib.training.store import Store

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
        data = export_onnx(recipe, weights, calibration=calibration)
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
