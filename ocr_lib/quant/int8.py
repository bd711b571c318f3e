"""Networks in 8 bits for MXNet, by its own ``contrib.quantization``.

What MXNet 1.9.1 leaves to its callers:

* A quantized LSTM operator of several layers takes the scales of later layers' weights from the wrong places, so each
  layer is an operator of its own.
* It has one range for its input and its hidden states, and takes that of the input: [0, 10] behind a ReLU, say, which
  cuts negative states off. They are in (-1, 1), so the input is scaled to [-1, 1], and the first layer's weights
  inversely, and the range is one that has room for both.
* Its quantized LSTM fails with VNNI, and without it two products of 8 bits each are added up in 16, and saturate. So
  ranges are twice as wide as need be, such that activations take 7 bits. This takes activations that are not negative;
  what the classifier reads is shifted by 1, and its bias inversely.
* A product of zeros, as of an unrolled LSTM's states before its first time step, has an empty range, which quantizes to
  numbers that are none. These stay in floating point.
"""

import json
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import LOGITS, folded_symbol
from ocr_lib.net.checkpoint import Arrays, Checkpoint, numpy_weights
from ocr_lib.net.weights import fold_batch_norms, pack_lstm
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe

CALIB_MODES = ("naive", "entropy", "none")
_BACKEND = "MKLDNN_QUANTIZE"
_BATCH_SIZE = 32


class Quantized(NamedTuple):
    """A quantized network.

    Attributes
    ----------
    symbol : mxnet.symbol.Symbol
        Its output is called as the logits of a trained network are.
    params : dict
        ``arg:`` and ``aux:`` parameters by name.
    """

    symbol: "mx.sym.Symbol"
    params: Arrays


def quantize(
    checkpoint: Checkpoint, images: np.ndarray, calib_mode: str = "naive", exclude: Iterable[str] = ()
) -> Quantized:
    """Quantize the inference network of a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
    images : numpy.ndarray
        (N, H, W) uint8, to calibrate with.
    calib_mode : {"naive", "entropy", "none"}
        Ranges of activations are the extremes that the images lead to, or those that change the distribution least
        (Kullback-Leibler divergence; Migacz, 8-bit Inference with TensorRT, 2017), or are measured in each call. The
        range of what the LSTM reads is taken from the images in any case.
    exclude : iterable of str
        Layers that stay in floating point, of the recipe's `layer_names`.

    Raises
    ------
    OCRError
        If this MXNet can't quantize, a layer is unknown, or the checkpoint is quantized already.
    """
    if not mx.runtime.Features().is_enabled("MKLDNN"):
        raise OCRError("this MXNet was built without MKL-DNN (oneDNN), which 8 bits need")
    recipe = checkpoint.recipe
    if recipe.quantization:
        raise OCRError(f"{checkpoint.params_path} is quantized already: take the checkpoint that it was made from")
    if recipe.image.width is None:
        raise OCRError(
            "MXNet's operators of 8 bits know no padding, so they need a fixed image.width; lstm_ocr_export.py --int8 "
            "takes lines of any width"
        )
    unknown = set(exclude) - set(recipe.layer_names)
    if unknown:
        raise OCRError(f"--exclude {sorted(unknown)[0]}: the layers are {', '.join(recipe.layer_names)}")
    weights = fold_batch_norms(numpy_weights(checkpoint))
    data = normalise(images, recipe.image.mean, recipe.image.scale)  # (N, T, F)
    gain = 1 / max(1.0, _peak(recipe, weights, data))
    for prefix in direction_names(recipe.network)[0]:
        weights[f"{prefix}i2h_weight"] = weights[f"{prefix}i2h_weight"] / np.float32(gain)
    weights["pred_fc_bias"] = weights["pred_fc_bias"] - weights["pred_fc_weight"].sum(axis=1)
    if recipe.network.cell == "fused":
        weights = pack_lstm(weights, recipe.network)
    symbol = folded_symbol(recipe, gain, shift=1.0).get_backend_symbol(_BACKEND)
    arguments = {name: mx.nd.array(weights[name]) for name in symbol.list_arguments() if name != "data"}
    quantized, params, _ = mx.contrib.quantization.quantize_model(
        symbol,
        arguments,
        {},
        label_names=None,
        excluded_sym_names=_excluded(symbol, recipe, exclude),
        calib_mode=calib_mode,
        calib_data=mx.io.NDArrayIter(data, batch_size=min(_BATCH_SIZE, len(data))),
        quantized_dtype="auto",
        # A scale for each channel takes ranges that are known beforehand.
        quantize_granularity="tensor-wise" if calib_mode == "none" else "channel-wise",
    )
    symbol = _with_wide_ranges(quantized).get_backend_symbol(_BACKEND)
    logits = mx.sym.identity(symbol, name=LOGITS.replace("_output", ""))
    return Quantized(logits, {f"arg:{name}": array for name, array in params.items()})


def _peak(recipe: Recipe, weights: Dict[str, np.ndarray], data: np.ndarray) -> float:
    """Return the largest magnitude that the LSTM's input has."""
    features = folded_symbol(recipe).get_internals()["features_output"]
    executor = features.simple_bind(mx.cpu(), data=data.shape, grad_req="null")
    executor.copy_params_from({name: mx.nd.array(array) for name, array in weights.items()}, allow_extra_params=True)
    return float(np.abs(executor.forward(data=mx.nd.array(data))[0].asnumpy()).max())


def _excluded(symbol: "mx.sym.Symbol", recipe: Recipe, layers: Iterable[str]) -> List[str]:
    """Return the nodes that must not be quantized: those of some layers, and products of zeros."""
    last = recipe.time_steps - 1
    zeros = [f"{p}t{last if p.endswith('_r_') else 0}_h2h" for ps in direction_names(recipe.network) for p in ps]
    prefixes = tuple(f"{layer}_" for layer in layers)
    excluded = []
    for node in json.loads(symbol.tojson())["nodes"]:
        names = [node["name"], *_inner_names(node)]
        if node["op"] != "null" and any(n in zeros or f"{n}_".startswith(prefixes) for n in names):
            excluded.append(node["name"])
    return excluded


def _inner_names(node: Dict[str, Any]) -> Sequence[str]:
    """Return the names of the nodes that the backend put into one."""
    return [inner["name"] for graph in node.get("subgraphs", []) for inner in graph["nodes"] if inner["op"] != "null"]


def _with_wide_ranges(symbol: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Set the ranges of what LSTM operators read, and double those of activations that are not negative."""
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        attributes = node.setdefault("attrs", {})
        if node["op"] == "_contrib_quantize_asym":
            attributes.update(min_calib_range="-1.0", max_calib_range="3.0")
        elif float(attributes.get("min_calib_range", -1)) >= 0:
            attributes["max_calib_range"] = str(2 * float(attributes["max_calib_range"]))
    return mx.sym.load_json(json.dumps(graph))
