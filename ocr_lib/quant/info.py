"""What quantizing a network found, as a file: bits, exponents and range of every tensor. No MXNet needed."""

from pathlib import Path
from typing import Dict, List, Tuple

import msgspec
import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.files import write_atomic
from ocr_lib.fixed.arithmetic import Levels, exponents, tables, unit_exponent
from ocr_lib.fixed.build import levels_of
from ocr_lib.fixed.steps import LOG2_STEP, step_shapes, stepped_tensors, tensor_of
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.quantization import Precision, QuantizationRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json, encode_json

QUANT_INFO = "quant_info.json"
FORMAT = "ocr-lib quantization 1"


class TensorInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor: whole numbers of so many bits times 2^exponent.

    Attributes
    ----------
    kind, bits
        As of `ocr_lib.recipe.quantization.Precision`.
    exponents : list of int
        Of its groups of rows.
    range : (float, float)
        The least and the largest value that it can have.
    """

    kind: str
    bits: int
    exponents: List[int]
    range: Tuple[float, float]


class QuantInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What quantizing a network found.

    Attributes
    ----------
    format : str
    quantization : QuantizationRecipe
        As the recipe of the quantized network has it.
    tensors : dict of str to TensorInfo
    """

    format: str
    quantization: QuantizationRecipe
    tensors: Dict[str, TensorInfo]

    def steps(self, recipe: Recipe) -> Weights:
        """Return the steps that are parameters of a quantized recipe's network, as far as they are here."""
        tensors = (tensor_of(name) or "" for name in step_shapes(recipe))
        found = {name: self.tensors[name].exponents for name in tensors if name in self.tensors}
        return {name + LOG2_STEP: np.array(exponents, np.float32) for name, exponents in found.items()}


def quantized_recipe(recipe: Recipe, quantization: QuantizationRecipe) -> Recipe:
    """Return a recipe with a quantization, and batch normalisation folded away."""
    network = quantization.folded(recipe.network)
    return msgspec.structs.replace(recipe, network=network, quantization=quantization)


def quant_info(recipe: Recipe, weights: Weights) -> QuantInfo:
    """Describe a quantized network.

    Parameters
    ----------
    recipe : Recipe
        With a quantization.
    weights : dict of str to numpy.ndarray
        All parameters, steps included.
    """
    quantization = recipe.quantization
    assert quantization is not None
    tensors = {}
    for name, (precision, groups) in stepped_tensors(recipe).items():
        found = np.full(groups, 0 if precision.is_float else unit_exponent(precision))
        if name + LOG2_STEP in weights:
            found = exponents(weights[name + LOG2_STEP])
        tensors[name] = _described(precision, levels_of(recipe, name), found)
    for prefix in (prefix for prefixes in direction_names(recipe.network) for prefix in prefixes):
        hidden, internal = quantization.hidden, quantization.internal
        tensors[f"{prefix}hidden"] = _unit(hidden)
        if not internal.is_float:
            made = tables(internal)
            bits = len(made.tanh).bit_length() - 1
            index = Precision("fixed", bits)
            tensors[f"{prefix}index"] = _described(index, made.index_levels, np.array([made.index_exponent]))
        tensors.update({f"{prefix}{gate}": _unit(internal) for gate in "ifco"})
    return QuantInfo(FORMAT, quantization, tensors)


def write_quant_info(folder: Path, info: QuantInfo) -> Path:
    """Write ``quant_info.json`` in a folder, which is made if need be; what was there is replaced."""
    path = folder / QUANT_INFO
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, encode_json(info))
    return path


def read_quant_info(folder: Path, recipe: Recipe) -> QuantInfo:
    """Read ``quant_info.json`` of a network.

    Raises
    ------
    OCRError
        If there is none, it is damaged or of another format, or not that of the recipe's network.
    """
    path = folder / QUANT_INFO
    if not path.is_file():
        raise OCRError(f"{path}: no such file; calibrate first (mode calib)")
    info = decode_json(path.read_bytes(), QuantInfo, str(path))
    if info.format != FORMAT:
        raise OCRError(f"{path}: of the format {info.format!r}, and this program knows {FORMAT!r}: calibrate anew")
    quantized = quantized_recipe(recipe, info.quantization)
    if {name: steps.shape for name, steps in info.steps(quantized).items()} != step_shapes(quantized):
        raise OCRError(f"{path}: of another network than this checkpoint's: calibrate anew")
    return info


def _unit(precision: Precision) -> TensorInfo:
    return _described(
        precision, Levels.of(precision), np.array([0 if precision.is_float else unit_exponent(precision)])
    )


def _described(precision: Precision, levels: Levels, found: np.ndarray) -> TensorInfo:
    if precision.is_float:
        return TensorInfo("float", precision.stored_bits, [], (-np.inf, np.inf))
    step = 2.0 ** int(found.max())
    bounds = float(levels.low * step), float(levels.high * step)
    return TensorInfo(precision.kind, precision.stored_bits, found.tolist(), bounds)
