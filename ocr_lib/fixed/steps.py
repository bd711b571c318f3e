"""The steps of a quantized network's tensors, which are parameters of it: one number, or one for each group of rows.

The steps of a tensor are called as it is, with ``_log2_step`` behind, and stored as logarithms to the base 2, float32,
of which the nearest whole number counts. Tensors of the kind `fixed_unit` have none, nor have hidden states and gates:
what they may be says it.
"""

import re
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.quantization import Precision
from ocr_lib.recipe.recipe import Recipe

LOG2_STEP = "_log2_step"
_GATES = 4


class Stepped(NamedTuple):
    """A tensor of a quantized network.

    Attributes
    ----------
    precision : Precision
    groups : int
        Of rows, each with a step of its own.
    """

    precision: Precision
    groups: int

    @property
    def has_steps(self) -> bool:
        """Whether its steps are parameters."""
        return self.precision.kind not in ("float", "fixed_unit")


def stepped_tensors(recipe: Recipe) -> Dict[str, Stepped]:
    """Return the tensors of a recipe's network whose precision the recipe states, hidden states and gates aside.

    That is the input, ``data``; weights and biases, by the names of the parameters; ``conv{i}_output``; and cell
    states, ``l{layer}_[r_]cell``.
    """
    return dict(_tensors(recipe)) if recipe.quantization else {}


def step_shapes(recipe: Recipe) -> Dict[str, Tuple[int, ...]]:
    """Return the names and shapes of the parameters that are steps."""
    return {name + LOG2_STEP: (t.groups,) for name, t in stepped_tensors(recipe).items() if t.has_steps}


def tensor_of(name: str) -> Optional[str]:
    """Return the tensor whose steps a parameter is, or None."""
    match = re.fullmatch(f"(.*){LOG2_STEP}", name)
    return match[1] if match else None


def _tensors(recipe: Recipe) -> Iterator[Tuple[str, Stepped]]:
    quantization = recipe.quantization
    assert quantization is not None
    yield "data", Stepped(quantization.input, 1)
    for i, convolution in enumerate(recipe.network.convolutions):
        weight = quantization.weight(f"conv{i}", quantization.convolution_weight)
        yield f"conv{i}_weight", Stepped(weight, convolution.filters)
        yield f"conv{i}_bias", Stepped(quantization.convolution_bias, 1)
        yield f"conv{i}_output", Stepped(quantization.convolution_output, 1)
    for layer, prefixes in enumerate(direction_names(recipe.network)):
        weight = quantization.weight(f"l{layer}", quantization.recurrent_weight)
        for prefix in prefixes:
            for kind in ("i2h", "h2h"):
                yield f"{prefix}{kind}_weight", Stepped(weight, _GATES)
                yield f"{prefix}{kind}_bias", Stepped(quantization.recurrent_bias, 1)
            yield f"{prefix}cell", Stepped(quantization.cell, 1)
    weight = quantization.weight("pred_fc", quantization.classifier_weight)
    yield "pred_fc_weight", Stepped(weight, 1)
    yield "pred_fc_bias", Stepped(quantization.classifier_bias, 1)
