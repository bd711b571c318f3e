"""Checkpoints as inference loads them: symbol, parameters and recipe, ours or the original MXNet example's."""

import json
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from ocr_lib.alphabet import DIGITS
from ocr_lib.errors import OCRError, naming
from ocr_lib.mx import mx
from ocr_lib.net.arrays import read_arrays
from ocr_lib.net.build import LOGITS, logits_symbol
from ocr_lib.net.graph import check_outputs, cut_graph
from ocr_lib.net.manifest import RECIPE, SYMBOL, Epoch, files_at, read_manifest, read_recipe, verified
from ocr_lib.net.weights import Weights, check_weights, from_original
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

Arrays = Dict[str, "mx.nd.NDArray"]


class Checkpoint(NamedTuple):
    """A trained network.

    Attributes
    ----------
    symbol : mxnet.symbol.Symbol
        The network, of which ``pred_fc_output`` are the logits. What is loaded ends there. A network for any width is
        built from the recipe, since MXNet does not check the lengths that one in a file might compute, and so is a
        quantized one, of which part is code of ours.
    arg_params, aux_params : dict
        Its parameters by name.
    recipe : Recipe
    params_path : pathlib.Path
        Where the parameters were read.
    """

    symbol: "mx.sym.Symbol"
    arg_params: Arrays
    aux_params: Arrays
    recipe: Recipe
    params_path: Path

    @property
    def preparation(self) -> Preparation:
        """What the network wants of an image."""
        return Preparation.of(self.recipe)

    @property
    def has_original_gates(self) -> bool:
        """Whether the gates of its LSTM layers are in the original example's order: i, c, f, o."""
        return "l0_init_c" in self.symbol.list_arguments()


def load_checkpoint(prefix: str, epoch: Optional[Epoch] = None) -> Checkpoint:
    """Load ``PREFIX-symbol.json``, ``PREFIX-NNNN.params`` and ``PREFIX-recipe.json``.

    Parameters
    ----------
    epoch : int, "best", "last" or None
        None is the best, or the last where nothing says which is best.

    Raises
    ------
    OCRError
        Naming the file, if one is missing, cut off, changed or foreign.
    """
    manifest = read_manifest(prefix)
    if manifest is None and not Path(prefix + SYMBOL).exists():
        raise OCRError(f"{prefix}{SYMBOL}: no such checkpoint; lstm_ocr_train.py --prefix {prefix} makes one")
    suffix = manifest.find("best" if epoch is None else epoch, prefix).params if manifest else _by_name(prefix, epoch)
    params_path = verified(prefix, suffix, manifest)
    symbol_path = verified(prefix, SYMBOL, manifest)
    arg_params, aux_params = split_params(load_arrays(params_path))
    if not arg_params:
        raise OCRError(f"{params_path}: there are no parameters in this file")
    if manifest is None and not Path(prefix + RECIPE).exists():
        symbol = _load_symbol(symbol_path)
        recipe = _original_recipe(symbol, arg_params, prefix)
    else:
        recipe = read_recipe(prefix, manifest)
        is_loaded = recipe.image.width and not recipe.quantization
        symbol = _load_symbol(symbol_path) if is_loaded else logits_symbol(recipe)
    return Checkpoint(symbol, arg_params, aux_params, recipe, params_path)


def numpy_weights(checkpoint: Checkpoint) -> Weights:
    """Return all parameters of a checkpoint as numpy arrays, the original example's with their gates in our order.

    Raises
    ------
    OCRError
        If they are of 8 bits, or not those of the recipe's network.
    """
    nodes = json.loads(checkpoint.symbol.tojson())["nodes"]
    if any(node["op"].startswith("_contrib_quantize") for node in nodes):
        raise OCRError(f"{checkpoint.params_path} is of 8 bits already: take the checkpoint that it was made from")
    both = {**checkpoint.arg_params, **checkpoint.aux_params}
    weights = {name: array.asnumpy() for name, array in both.items()}
    weights = from_original(weights) if checkpoint.has_original_gates else weights
    check_weights(weights, checkpoint.recipe)
    return weights


def load_arrays(path: Path) -> Arrays:
    """Load a file of named arrays for MXNet, as `read_arrays` reads it."""
    return {name: mx.nd.array(array, dtype=array.dtype) for name, array in read_arrays(path).items()}


def split_params(arrays: Arrays) -> Tuple[Arrays, Arrays]:
    """Split ``arg:`` and ``aux:`` parameters, as MXNet saves them together."""
    parts: Tuple[Arrays, Arrays] = ({}, {})
    for key, array in arrays.items():
        kind, _, name = key.partition(":")
        parts[kind == "aux"][name] = array
    return parts


def _by_name(prefix: str, epoch: Optional[Epoch]) -> str:
    if isinstance(epoch, int):
        return f"-{epoch:04d}.params"
    if epoch == "best":
        raise OCRError(f"nothing says which epoch of {prefix} is best: give its number, or --epoch last")
    numbered = [suffix for suffix in files_at(prefix) if re.fullmatch(r"-\d{4,}\.params", suffix)]
    if not numbered:
        raise OCRError(f"{prefix}-NNNN.params: no such file")
    return max(numbered, key=lambda suffix: int(suffix[1:-7]))


def _load_symbol(path: Path) -> "mx.sym.Symbol":
    try:
        symbol = mx.sym.load_json(cut_graph(path.read_bytes(), LOGITS.replace("_output", "")).decode())
        check_outputs(symbol.tojson().encode())
    except LookupError as error:
        raise OCRError(f"{path}: the symbol has no {LOGITS}, so it is not a network of this kind") from error
    except ValueError as error:
        raise OCRError(f"{path}: cut off, or not an MXNet symbol ({error})") from error
    except mx.base.MXNetError as error:
        raise OCRError(f"{path}: cut off, or not a symbol of this MXNet") from error
    if symbol.list_outputs() != [LOGITS]:
        raise OCRError(f"{path}: the symbol has no {LOGITS}, so it is not a network of this kind")
    return symbol


def _original_recipe(symbol: "mx.sym.Symbol", arg_params: Arrays, prefix: str) -> Recipe:
    """State what the original example leaves to its hyperparameters file, from its symbol and parameters."""
    missing = f"{prefix}{RECIPE} is missing"
    write = f"write it by ocr_lib.save_recipe({prefix!r}, recipe)"
    try:
        layers = sum(name.endswith("_h2h_weight") for name in arg_params)
        settings: List[Tuple[str, object]] = [
            ("name", "original"),
            ("image.width", _time_steps(symbol)),
            ("image.height", arg_params["l0_i2h_weight"].shape[1]),
            ("image.resize", "bilinear"),
            ("image.invert", "never"),
            ("network.layers", layers),
            ("network.hidden", arg_params["l0_h2h_weight"].shape[1]),
        ]
        num_classes = arg_params["pred_fc_bias"].shape[0]
    except (KeyError, IndexError, StopIteration) as error:
        raise OCRError(
            f"{missing}, and the network is not the original MXNet example's: {write} with what it was trained with"
        ) from error
    if num_classes != len(DIGITS) + 1:
        raise OCRError(
            f"{missing}, so the characters of the {num_classes} classes are unknown: {write}, made of the preset "
            "mxnet-ctc with text.alphabet, image.resize=bilinear, image.invert=never and the network's sizes"
        )
    with naming(f"{prefix}{SYMBOL}"):
        return override(load_preset("mxnet-ctc"), settings)


def _time_steps(symbol: "mx.sym.Symbol") -> int:
    nodes = json.loads(symbol.tojson())["nodes"]
    return next(
        int(node["attrs"]["num_outputs"])
        for node in nodes
        if node["op"] == "SliceChannel" and nodes[node["inputs"][0][0]]["name"] == "data"
    )
