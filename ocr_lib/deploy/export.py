"""Making model files. Needs the onnx package."""

from typing import List, Optional

import numpy as np
import onnx
import onnxruntime

from ocr_lib.deploy.fixed import FixedLayers
from ocr_lib.deploy.graph import Graph, Layers, build
from ocr_lib.deploy.int8 import Int8Layers
from ocr_lib.deploy.metadata import Metadata, seal
from ocr_lib.deploy.predictor import INPUT, WIDTHS
from ocr_lib.net.weights import Weights, check_weights, fold_batch_norms
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import encode_json
from ocr_lib.recognize.recognizer import batches

_BATCH_SIZE = 128


def export_onnx(
    recipe: Recipe,
    weights: Weights,
    model_license: str = "not stated",
    calibration: Optional[np.ndarray] = None,
    widths: Optional[np.ndarray] = None,
) -> bytes:
    """Turn a trained network into an ONNX file.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        As training leaves them, with moving means and variances.
    model_license : str
        For the file's metadata.
    calibration : numpy.ndarray, optional
        (N, H, W) uint8. With these images to take the ranges of activations from, the network is quantized to 8 bits;
        one of whole numbers is as it is, and needs none.
    widths : numpy.ndarray, optional
        (N,) int, of these images without padding; all W when left out.

    Returns
    -------
    bytes
        What the file holds.

    Raises
    ------
    OCRError
        If the weights are not those of the recipe's network, or it is quantized in part only.
    """
    check_weights(weights, recipe)
    if recipe.quantization:
        metadata = Metadata(recipe.text.alphabet, encode_json(recipe).decode(), "fixed", model_license)
        return _sealed(build(FixedLayers(Graph(), recipe, weights)).model(recipe, metadata))
    folded = fold_batch_norms(weights)
    precision = "fp32" if calibration is None else "int8"
    metadata = Metadata(recipe.text.alphabet, encode_json(recipe).decode(), precision, model_license)
    model = build(Layers(Graph(), recipe, folded)).model(recipe, metadata)
    if calibration is not None:
        peaks = _peaks(model, len(recipe.network.convolutions), calibration, widths)
        model = build(Int8Layers(Graph(), recipe, folded, peaks)).model(recipe, metadata)
    return _sealed(model)


def _sealed(model: "onnx.ModelProto") -> bytes:
    onnx.checker.check_model(model, full_check=True)
    return seal(model.SerializeToString())


def _peaks(
    model: "onnx.ModelProto", num_convolutions: int, images: np.ndarray, widths: Optional[np.ndarray]
) -> List[float]:
    """Return the largest value behind the ReLU of each convolution."""
    if not num_convolutions:
        return []
    names = [f"relu{i}" for i in range(num_convolutions)]
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {INPUT: images, WIDTHS: np.full(len(images), images.shape[2]) if widths is None else widths}
    wanted = [node.name for node in model.graph.input]
    parts = (dict(zip(wanted, part)) for part in zip(*(batches(inputs[name], _BATCH_SIZE) for name in wanted)))
    peaks = np.array([[output.max() for output in session.run(names, part)] for part in parts])
    return [float(peak) or 1.0 for peak in peaks.max(axis=0)]  # where all is 0, any scale will do
