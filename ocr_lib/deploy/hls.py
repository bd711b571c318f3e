"""Headers for LSTM-PYNQ, which computes a quantized LSTM on an FPGA. Neither MXNet nor a compiler is needed.

The accelerator is that of Rybalkin et al., "FINN-L: Library extensions and design trade-off analysis for variable
precision LSTM networks on FPGAs", 2018; its code reads the network from a header, ``r_model_fw_bw.hpp``. That holds
parameters alone: tables of sigmoid and tanh are the accelerator's own, as are the widths of its sums and cell states,
so its logits are near those of `ocr_lib.fixed.network.IntegerNetwork`, and not the same.

Shapes: H pixels of a column, N hidden units of a direction, C classes, P processing elements. Both directions' units
are columns, 2 N of them, the forward ones first.
"""

import math
from typing import Iterator, List, NamedTuple, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.fixed.arithmetic import Levels, unit_exponent
from ocr_lib.fixed.build import check_grey
from ocr_lib.net.weights import Weights, check_weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.quantization import Precision, QuantizationRecipe
from ocr_lib.recipe.recipe import Recipe

MAX_COLUMNS = 732  # that LSTM-PYNQ's own networks are built for
_GATES = {"gi": 0, "gf": 1, "go": 3, "ci": 2}  # their places in our parameters, whose order is i, f, c, o
_PARTS = "input", "recurrent_weight", "recurrent_bias", "hidden", "classifier_weight", "classifier_bias"
_WORD_BITS = 64
_LOGIT_BITS, _OUTPUT_CHARACTERS = 16, 96  # as LSTM-PYNQ has them for all networks
_LABEL_BITS = 8  # of the stream of labels in its top.cpp
_NUMBERS_A_LINE = 16


class _Array(NamedTuple):
    """An array of the header: its name, the precision of what it holds, and that, whole numbers of one to four axes."""

    name: str
    precision: Precision
    numbers: np.ndarray

    @property
    def typedef(self) -> str:
        return f"typedef ap_fixed<{self.precision.bits}, 1, AP_RND_ZERO, AP_WRAP> t_fixed_{self.name};"

    @property
    def definition(self) -> str:
        """The bits of its two's complements, as nested braces."""
        bits = self.precision.bits
        shape = "".join(f"[{size}]" for size in self.numbers.shape)
        return f"const ap_uint<{bits}> {self.name}{shape} =\n{_braces(self.numbers & (2**bits - 1))};"


def hls_header(
    recipe: Recipe, weights: Weights, simd_factor: int = 1, pe: int = 1, max_columns: int = MAX_COLUMNS
) -> str:
    """Turn a trained network into the header that LSTM-PYNQ's HLS code includes.

    Parameters
    ----------
    recipe : Recipe
        One LSTM layer reads the image's columns as they are, both ways, and the classifier both outputs one behind the
        other. Input, parameters and hidden states are of the kind `fixed_unit`.
    weights : dict of str to numpy.ndarray
        All parameters, those that are steps included.
    simd_factor : int
        How many times a processing element's multipliers are used for one dot product, so H and N divided by it are
        their numbers. Divides both.
    pe : int
        P, hidden units computed at a time. Divides N.
    max_columns : int
        Of an image, for which the accelerator has memory.

    Returns
    -------
    str
        Macros for sizes and bits; a type ``ap_fixed<bits, 1, AP_RND_ZERO, AP_WRAP>`` for each array; and arrays of
        ``ap_uint<bits>``, two's complements:

        - ``w{gi,gf,go,ci}_{ih,hh}`` [S][inputs / S][P][2 N / P], S being ``SIMD_INPUT`` or ``SIMD_RECURRENT``, where
          [s][f][q][r] is the weight of input f S + s for column r P + q;
        - ``b{gi,gf,go,ci}_{ih,hh}`` [P][2 N / P], where [q][r] is column r P + q's;
        - ``wfc`` [N][2 C], where C weights of a forward unit are followed by those of the backward one;
        - ``bfc`` [1][2 C], with zeros behind the first C, as both halves' sums are added up.

    Raises
    ------
    OCRError
        If the network is of another shape or precision, the weights are not those of the recipe, or the accelerator
        can't be parted or have memory as stated.
    """
    quantization = _checked(recipe)
    _check_folding(recipe, simd_factor, pe)
    least = recipe.image.width or 1
    if max_columns < least:
        raise OCRError(f"max_columns {max_columns} is too few for the network's images: take {least} or more")
    check_weights(weights, recipe)
    arrays = list(_arrays(recipe, quantization, weights, simd_factor, pe))
    macros = _macros(recipe, quantization, simd_factor, pe, max_columns)
    parts = [
        ["#pragma once", "#include <ap_fixed.h>", "#include <ap_int.h>"],
        [f"#define {name} {value}" for name, value in macros],
        [array.typedef for array in arrays],
        [array.definition for array in arrays],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _checked(recipe: Recipe) -> QuantizationRecipe:
    """Return a recipe's quantization, once its network is seen to be one that the header can state."""
    check_grey(recipe)
    network = recipe.network
    if network.convolutions:
        raise OCRError("an HLS header has no convolutions, and the network has: train with network.convolutions=[]")
    wanted = [("layers", network.layers, 1), ("bidirectional", network.bidirectional, True)]
    for key, found, needed in (*wanted, ("merge", network.merge, "concat")):
        if found != needed:
            setting = f"network.{key}={str(needed).lower()}"
            raise OCRError(f"an HLS header takes {setting}, and the network has {str(found).lower()}: train with that")
    if recipe.quantization is None:
        raise OCRError("the network is in floating point: quantize it by lstm_ocr_quantize.py")
    for part in _PARTS:
        kind = getattr(recipe.quantization, part).kind
        if kind != "fixed_unit":
            setting = f"quantization.{part}.kind=fixed_unit"
            raise OCRError(f"an HLS header takes {setting}, and the network has {kind}: train with that")
    if recipe.quantization.weight_bits:
        raise OCRError("an HLS header takes weights of one kind, and the network has weight_bits: train without them")
    return recipe.quantization


def _check_folding(recipe: Recipe, simd_factor: int, pe: int) -> None:
    rows, hidden = recipe.image.height, recipe.network.hidden
    if simd_factor < 1 or pe < 1:
        raise OCRError(f"simd_factor {simd_factor} and pe {pe} must be 1 at least")
    if simd_factor > 1 and pe > 1:
        raise OCRError(f"simd_factor {simd_factor} and pe {pe}: one of them must be 1")
    if rows % simd_factor or hidden % simd_factor:
        factors = _divisors(math.gcd(rows, hidden))
        raise OCRError(f"simd_factor {simd_factor} must divide {rows} rows and {hidden} hidden units: take {factors}")
    # a header where it divides 2 N alone could be written, but the accelerator would begin the backward units too early
    if hidden % pe:
        raise OCRError(f"pe {pe} must divide {hidden} hidden units: take {_divisors(hidden)}")


def _divisors(number: int) -> str:
    *most, last = (str(each) for each in range(1, number + 1) if number % each == 0)
    return f"{', '.join(most)} or {last}" if most else last


def _macros(
    recipe: Recipe, quantization: QuantizationRecipe, simd_factor: int, pe: int, max_columns: int
) -> List[Tuple[str, int]]:
    rows, hidden, classes = recipe.image.height, recipe.network.hidden, recipe.alphabet.num_classes
    pixel_bits = quantization.input.bits
    return [
        ("PE", pe),
        ("SIMD_INPUT", rows // simd_factor),
        ("SIMD_RECURRENT", hidden // simd_factor),
        ("NUMBER_OF_NEURONS", hidden),
        ("NUMBER_OF_NEURONS_TYPEWIDTH", _counter_bits(hidden)),
        ("HEIGHT_IN_PIX", rows),
        ("HEIGHT_IN_PIX_TYPEWIDTH", _counter_bits(rows)),
        ("NUMBER_OF_CLASSES", classes),
        ("NUMBER_OF_CLASSES_TYPEWIDTH", max(classes.bit_length(), _LABEL_BITS)),  # the label C ends a text
        ("MAX_NUMBER_COLUMNS_TEST_SET", max_columns),
        ("MAX_NUMBER_COLUMNS_TEST_SET_TYPEWIDTH", _counter_bits(max_columns)),
        ("SIZE_OF_OUTPUT_BUFFER", _OUTPUT_CHARACTERS),
        ("PACKEDWIDTH", -(-rows * pixel_bits // _WORD_BITS) * _WORD_BITS),  # columns begin with a word each
        ("DATAWIDTH", _WORD_BITS),
        ("PIXELWIDTH", pixel_bits),
        ("WEIGHTWIDTH", quantization.recurrent_weight.bits),
        ("BIASWIDTH", quantization.recurrent_bias.bits),
        ("FCWEIGHTWIDTH", quantization.classifier_weight.bits),
        ("FCBIASWIDTH", quantization.classifier_bias.bits),
        ("OUTPUTACTIVATIONHIDDENLAYERWIDTH", quantization.hidden.bits),
        ("OUTPUTACTIVATIONOUTPUTLAYERWIDTH", _LOGIT_BITS),
    ]


def _counter_bits(count: int) -> int:
    """Return the bits of numbers up to one less than twice a count, which is where counters of both directions end."""
    return (count - 1).bit_length() + 1


def _arrays(
    recipe: Recipe, quantization: QuantizationRecipe, weights: Weights, simd_factor: int, pe: int
) -> Iterator[_Array]:
    (prefixes,) = direction_names(recipe.network)
    columns, classes = 2 * recipe.network.hidden, recipe.alphabet.num_classes
    for kind, ours in (("ih", "i2h"), ("hh", "h2h")):
        precision = quantization.recurrent_weight
        rows = _both_ways(_whole(weights[f"{prefix}{ours}_weight"], precision) for prefix in prefixes)
        for gate, place in _GATES.items():
            folded = rows[place].reshape(columns // pe, pe, simd_factor, -1)  # (2 N / P, P, inputs / S, S)
            yield _Array(f"w{gate}_{kind}", precision, folded.transpose(3, 2, 1, 0))
    for kind, ours in (("ih", "i2h"), ("hh", "h2h")):
        precision = quantization.recurrent_bias
        biases = _both_ways(_whole(weights[f"{prefix}{ours}_bias"], precision) for prefix in prefixes)
        for gate, place in _GATES.items():
            yield _Array(f"b{gate}_{kind}", precision, biases[place].reshape(columns // pe, pe).T)
    halves = np.split(_whole(weights["pred_fc_weight"], quantization.classifier_weight).T, 2)
    yield _Array("wfc", quantization.classifier_weight, np.hstack(halves))
    bias = _whole(weights["pred_fc_bias"], quantization.classifier_bias)
    yield _Array("bfc", quantization.classifier_bias, np.pad(bias, (0, classes))[np.newaxis])


def _both_ways(directions: Iterator[np.ndarray]) -> np.ndarray:
    """Return parameters (4 N, ...) of either direction by gates, (4, 2 N, ...)."""
    return np.concatenate([each.reshape(len(_GATES), -1, *each.shape[1:]) for each in directions], axis=1)


def _whole(numbers: np.ndarray, precision: Precision) -> np.ndarray:
    return Levels.of(precision).nearest(numbers * 2.0 ** -unit_exponent(precision))


def _braces(numbers: np.ndarray) -> str:
    if numbers.ndim > 1:
        return "{" + ",\n".join(map(_braces, numbers)) + "}"
    texts = [f"{number:#x}" for number in numbers.tolist()]
    lines = (", ".join(texts[start : start + _NUMBERS_A_LINE]) for start in range(0, len(texts), _NUMBERS_A_LINE))
    return "{" + ",\n".join(lines) + "}"
