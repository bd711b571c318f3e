"""Weights of an exported model, for training to begin with. Needs the onnx package."""

from pathlib import Path
from typing import Dict, Tuple

import msgspec
import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from ocr_lib.deploy.graph import gates_from_onnx
from ocr_lib.deploy.metadata import read_metadata
from ocr_lib.errors import OCRError, naming
from ocr_lib.net.weights import Weights, check_weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json


def read_model(path: Path) -> Tuple[Recipe, Weights]:
    """Return the recipe and the weights of an exported network.

    Batch normalisation is folded into the weights, so the recipe has none. Weights of 8 bits are what they stand for.

    Raises
    ------
    OCRError
        If there is no such file, it is damaged or no model of ours, or it computes in whole numbers alone.
    """
    with naming(path):
        data = path.read_bytes()
        try:
            model = onnx.load_from_string(data)
        except DecodeError as error:
            raise OCRError("cut off, or not an ONNX file") from error
        metadata, _ = read_metadata({each.key: each.value for each in model.metadata_props}, data)
        if metadata.precision == "fixed":
            raise OCRError("of whole numbers alone: take the checkpoint that it was made from")
        exported = decode_json(metadata.recipe.encode(), Recipe, "recipe")
        recipe = msgspec.structs.replace(exported, network=exported.network.folded())
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        weights = (_Weights if metadata.precision == "fp32" else _Int8Weights)(constants, recipe).all()
        check_weights(weights, recipe)
    return recipe, weights


class _Weights:
    """Undoes what `ocr_lib.deploy.graph.Layers` does to weights."""

    def __init__(self, constants: Dict[str, np.ndarray], recipe: Recipe) -> None:
        self.constants = constants
        self.recipe = recipe

    def all(self) -> Weights:
        """Return them by the names that they have in training."""
        network = self.recipe.network
        weights: Weights = {}
        for i in range(len(network.convolutions)):
            kernel, weights[f"conv{i}_bias"] = self.convolution(i)
            weights[f"conv{i}_weight"] = kernel.transpose(0, 1, 3, 2)
        for layer, prefixes in enumerate(direction_names(network)):
            inputs, states = (self.lstm(layer, kind) for kind in "WR")  # (directions, 4 H, F), (directions, 4 H, H)
            biases = self.constants[f"lstm{layer}_B"]  # (directions, 8 H)
            for prefix, i2h, h2h, bias in zip(prefixes, inputs, states, biases):
                arrays = {"i2h_weight": i2h, "h2h_weight": h2h}
                arrays["i2h_bias"], arrays["h2h_bias"] = np.split(bias, 2)
                weights.update((prefix + name, gates_from_onnx(array)) for name, array in arrays.items())
        weights["pred_fc_weight"], weights["pred_fc_bias"] = self.classifier().T, self.constants["pred_fc_bias"]
        return {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}

    def convolution(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        """Return a convolution's weights (K, C, rows, columns) and bias (K,)."""
        return self.constants[f"conv{index}_weight"], self.constants[f"conv{index}_bias"]

    def lstm(self, layer: int, kind: str) -> np.ndarray:
        """Return ``W`` (directions, 4 H, F) or ``R`` (directions, 4 H, H)."""
        return self.constants[f"lstm{layer}_{kind}"]

    def classifier(self) -> np.ndarray:
        """Return the classifier's weights, (D H, C)."""
        return self.constants["pred_fc_weight"]


class _Int8Weights(_Weights):
    """Undoes what `ocr_lib.deploy.int8.Int8Layers` does to weights, but for rounding."""

    def convolution(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        kernel, bias = super().convolution(index)
        if index == 0:
            step = self._step(0)
            return kernel * step, (bias - 0.5) * step
        scales = self.constants[f"conv{index}_weight_scale"]
        return kernel * scales[:, None, None, None], bias * (self._step(index - 1) * scales)

    def lstm(self, layer: int, kind: str) -> np.ndarray:
        values = super().lstm(layer, kind) * self.constants[f"lstm{layer}_{kind}_scale"][:, None]
        array = values.transpose(0, 2, 1)
        if layer or kind != "W":
            return array
        shape = array.shape  # features are in the order of rows and then filters
        return array.reshape(*shape[:2], self.recipe.feature_rows, -1).transpose(0, 1, 3, 2).reshape(shape)

    def classifier(self) -> np.ndarray:
        return super().classifier() * self.constants["pred_fc_scale"]

    def _step(self, index: int) -> np.ndarray:
        """Return the step of a convolution's output."""
        return self.constants["conv0_output_scale" if index == 0 else f"conv{index}_scale"]
