"""The part of a recipe that says in how few bits a network computes, as docs/low-bits.md tells."""

import re
from typing import Dict, Iterator, Literal, Tuple

import msgspec
from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.recipe.network import NetworkRecipe
from ocr_lib.recipe.part import Part

MOST_BITS = 16
_SHORTHAND = re.compile(r"W(\d+)(?:B(\d+))?A(\d+)(?:I(\d+))?(?:_FC_W(\d+)(?:B(\d+))?)?")
_BIAS_BITS, _INTERNAL_BITS, _CLASSIFIER_BITS = 16, 8, 8
_FLOAT_BITS = 32


class Precision(Part, frozen=True):
    """What a tensor's numbers may be.

    Attributes
    ----------
    kind : {"float", "fixed", "fixed_unit", "ternary", "binary"}
        In floating point; whole numbers of so many bits times a step, which is a power of two; such numbers in
        [-1, 1); -1, 0 or 1 times a step; -1 or 1 times a step.
    bits : int
        Of `fixed` and `fixed_unit`.
    """

    kind: Literal["float", "fixed", "fixed_unit", "ternary", "binary"] = "float"
    bits: Annotated[int, Meta(ge=2, le=MOST_BITS)] = 8

    @property
    def is_float(self) -> bool:
        """Whether it is left in floating point."""
        return self.kind == "float"

    @property
    def stored_bits(self) -> int:
        """Bits that a number takes."""
        return {"float": _FLOAT_BITS, "ternary": 2, "binary": 1}.get(self.kind, self.bits)


_FLOAT = Precision()


class QuantizationRecipe(Part, frozen=True):
    """The precision of each part of a network.

    Attributes
    ----------
    input : Precision
        Of what the network reads.
    convolution_weight, convolution_bias, convolution_output : Precision
        The output is taken behind ReLU and pooling.
    recurrent_weight, recurrent_bias : Precision
        Of the LSTM layers.
    hidden : Precision
        Hidden states, which are what a layer gives too.
    internal : Precision
        Gates and candidates: the outputs of sigmoid and tanh.
    cell : Precision
        Cell states.
    classifier_weight, classifier_bias : Precision
    weight_bits : dict of str to int
        Of the weights of single layers, ``conv{i}``, ``l{layer}`` or ``pred_fc``, where they are `fixed` and have other
        bits than the part of the network that they are of.
    learned_steps : bool
        Train the steps with the weights (Esser et al., "Learned step size quantization", 2020; of powers of two: Jain
        et al., "Trained quantization thresholds", 2020); otherwise they stay as they are in the beginning.
    """

    input: Precision = _FLOAT
    convolution_weight: Precision = _FLOAT
    convolution_bias: Precision = _FLOAT
    convolution_output: Precision = _FLOAT
    recurrent_weight: Precision = _FLOAT
    recurrent_bias: Precision = _FLOAT
    hidden: Precision = _FLOAT
    internal: Precision = _FLOAT
    cell: Precision = _FLOAT
    classifier_weight: Precision = _FLOAT
    classifier_bias: Precision = _FLOAT
    weight_bits: Dict[str, Annotated[int, Meta(ge=2, le=MOST_BITS)]] = {}  # noqa: RUF012
    learned_steps: bool = True

    def __post_init__(self) -> None:
        if self.internal.is_float != self.cell.is_float:
            raise ValueError("quantization: internal and cell are both float, or neither is")
        if self.input.kind == "binary":
            raise ValueError("quantization.input can't be binary, as there are zeros around images")
        for part in ("internal", "cell"):
            if getattr(self, part).kind in ("ternary", "binary"):
                raise ValueError(f"quantization.{part} can be float, fixed or fixed_unit")
        if self.cell.kind == "fixed_unit":
            raise ValueError("quantization.cell goes beyond [-1, 1): it can be float or fixed")
        if not self.internal.is_float and (self.recurrent_weight.is_float or self.recurrent_bias.is_float):
            raise ValueError("quantization.internal takes recurrent_weight and recurrent_bias that are not float")
        if not self.internal.is_float and (self.input.is_float or self.hidden.is_float):
            raise ValueError("quantization.internal takes input and hidden that are not float")

    def parts(self) -> Iterator[Tuple[str, Precision]]:
        """Yield names and precisions."""
        for name in self.__struct_fields__:
            precision = getattr(self, name)
            if isinstance(precision, Precision):
                yield name, precision

    def folded(self, network: NetworkRecipe) -> NetworkRecipe:
        """Return a network without the batch normalisation of what is quantized, for which its numbers have no room."""
        return network.folded(self.has_convolutions, not self.classifier_weight.is_float)

    @property
    def has_convolutions(self) -> bool:
        """Whether it says anything of convolutions."""
        return any(not p.is_float for name, p in self.parts() if name.startswith("convolution"))

    @property
    def is_trainable(self) -> bool:
        """Whether training, in single precision, gives whole numbers exactly: its sums are to stay below 2^24."""
        bits = {name: 0 if p.is_float else p.stored_bits for name, p in self.parts()}
        weights = max(*(bits[name] for name in bits if name.endswith("weight")), *self.weight_bits.values(), 0)
        return weights + max(bits["input"], bits["convolution_output"], bits["hidden"]) <= 16 and bits["internal"] <= 8

    def weight(self, layer: str, part: Precision) -> Precision:
        """Return the precision of a layer's weights, which is that of a part of the network unless stated otherwise."""
        return Precision("fixed", self.weight_bits[layer]) if layer in self.weight_bits else part

    def has_floats(self, convolutions: bool) -> bool:
        """Whether a network, with convolutions or without, is left in floating point in part."""
        return any(p.is_float for name, p in self.parts() if convolutions or not name.startswith("convolution"))


def parse_shorthand(text: str) -> QuantizationRecipe:
    """Read the field's shorthand for bits: ``W2B8A4I8_FC_W8B16``.

    Bits of weights, biases, activations (input, convolutions and hidden states) and internal activations; behind
    ``FC`` weights and biases of the classifier. What is left out is B16, I8 and FC_W8B16. One bit is binary, 32 bits
    are floating point, and cell states have 16.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = _SHORTHAND.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no shorthand for bits, as W4A4 and W2B8A4I8_FC_W8B16 are")
    defaults = 0, _BIAS_BITS, 0, _INTERNAL_BITS, _CLASSIFIER_BITS, _BIAS_BITS
    weight, bias, activation, internal, classifier_weight, classifier_bias = (
        _precision(text, int(bits or default)) for bits, default in zip(match.groups(), defaults)
    )
    return QuantizationRecipe(
        input=activation,
        convolution_weight=weight,
        convolution_bias=bias,
        convolution_output=activation,
        recurrent_weight=weight,
        recurrent_bias=bias,
        hidden=activation,
        internal=internal,
        cell=internal if internal.is_float else Precision("fixed", MOST_BITS),
        classifier_weight=classifier_weight,
        classifier_bias=classifier_bias,
    )


def _precision(text: str, bits: int) -> Precision:
    if bits == _FLOAT_BITS:
        return Precision()
    if bits == 1:
        return Precision("binary")
    try:
        return msgspec.convert({"kind": "fixed", "bits": bits}, Precision)
    except msgspec.ValidationError:
        raise ValueError(f"{text!r}: bits are from 1 to {MOST_BITS}, or 32 for floating point, not {bits}") from None
