"""The ONNX graph of a network, node by node from its recipe and weights.

``images`` (N, H, W) uint8 come in, ``log_probabilities`` (T', N, C) float32 go out; N and W are free. The opset is 13,
which every ONNX Runtime since 1.7 runs.
"""

from typing import Any, Dict, List, Sequence, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ocr_lib.deploy.metadata import Metadata
from ocr_lib.deploy.predictor import INPUT, OUTPUT
from ocr_lib.net.weights import Weights, direction_names
from ocr_lib.recipe import Recipe

OPSET = 13
IR_VERSION = 7
# MXNet's gates are in the order i, f, c, o, and ONNX's i, o, f, c.
_GATES = [0, 3, 1, 2]


class Graph:
    """Nodes and constants, in the order in which they are added."""

    def __init__(self) -> None:
        self._nodes: List[onnx.NodeProto] = []
        self._constants: List[onnx.TensorProto] = []

    def constants(self, prefix: str, **arrays: np.ndarray) -> List[str]:
        """Add constants called ``{prefix}_{key}``, and return their names."""
        names = [f"{prefix}_{key}" for key in arrays]
        self._constants += [
            numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in zip(names, arrays.values())
        ]
        return names

    def add(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, whose name is returned."""
        self._nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def model(self, recipe: Recipe, metadata: Metadata) -> "onnx.ModelProto":
        """Return the whole as a model."""
        images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", recipe.image.height, "W"])
        shape: List[Union[int, str, None]] = ["T", "N", recipe.alphabet.num_classes]
        outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self._nodes, recipe.name, [images], outputs, self._constants)
        domains = sorted({node.domain for node in self._nodes})
        opsets = [helper.make_opsetid(domain, 1 if domain else OPSET) for domain in domains]
        model = helper.make_model(graph, producer_name="ocr-lib", opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, metadata.as_properties())
        return model


class Layers:
    """Adds the layers of a network to a graph, in floating point.

    Parameters
    ----------
    graph : Graph
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        As `ocr_lib.net.weights.fold_batch_norms` gives them.
    """

    def __init__(self, graph: Graph, recipe: Recipe, weights: Weights) -> None:
        self.graph = graph
        self.recipe = recipe
        self.weights = weights

    def convolution(self, index: int, features: str) -> str:
        """Add a convolution, ReLU and max pooling: (N, C, H, W) in, (N, K, H', W') out."""
        parameters = self.graph.constants(f"conv{index}", weight=self.kernel(index), bias=self.bias(index))
        name = self.graph.add("Conv", [features, *parameters], f"conv{index}", pads=[1, 1, 1, 1])
        return self.pool(index, self.graph.add("Relu", [name], f"relu{index}"))

    def sequence(self, features: str) -> str:
        """Turn features (N, K, F', T') into a sequence (T', N, K, F')."""
        return self.graph.add("Transpose", [features], "columns", perm=[3, 0, 1, 2])

    def lstm(self, layer: int, sequence: str) -> str:
        """Add an LSTM layer: (T, N, F) in, (T, D, N, H) out."""
        arrays = {kind: np.stack(self.lstm_weights(layer, kind)) for kind in "WRB"}
        operands = [sequence, *self.graph.constants(f"lstm{layer}", **arrays)]
        return self.graph.add("LSTM", operands, f"lstm{layer}", **self.lstm_attributes())

    def classifier(self, sequence: str) -> str:
        """Add the classifier: (T, N, D H) in, logits (T, N, C) out."""
        weight, bias = self.weights["pred_fc_weight"].T, self.weights["pred_fc_bias"]
        weight_name, bias_name = self.graph.constants("pred_fc", weight=weight, bias=bias)
        product = self.graph.add("MatMul", [sequence, weight_name], "pred_fc_product")
        return self.graph.add("Add", [product, bias_name], "pred_fc")

    def pool(self, index: int, features: str) -> str:
        """Add the max pooling of a convolution."""
        steps, rows = self.recipe.network.convolutions[index].pool
        window = [rows, steps]
        return self.graph.add("MaxPool", [features], f"pool{index}", kernel_shape=window, strides=window)

    def kernel(self, index: int) -> np.ndarray:
        """Return a convolution's weights, (K, C, rows, columns): MXNet's network has time steps before rows."""
        return self.weights[f"conv{index}_weight"].transpose(0, 1, 3, 2)

    def bias(self, index: int) -> np.ndarray:
        """Return a convolution's bias, (K,)."""
        return self.weights[f"conv{index}_bias"]

    def lstm_weights(self, layer: int, kind: str) -> List[np.ndarray]:
        """Return ``W`` (4 H, F), ``R`` (4 H, H) or ``B`` (8 H,) of each direction, in ONNX's order of gates."""
        names = {"W": ["i2h_weight"], "R": ["h2h_weight"], "B": ["i2h_bias", "h2h_bias"]}[kind]
        return [
            np.concatenate([_gates_for_onnx(self.weights[prefix + name]) for name in names])
            for prefix in direction_names(self.recipe.network)[layer]
        ]

    def lstm_attributes(self) -> Dict[str, Any]:
        """Return the attributes of the operator."""
        network = self.recipe.network
        return {"hidden_size": network.hidden, "direction": "bidirectional" if network.bidirectional else "forward"}


def build(layers: Layers) -> Graph:
    """Build the graph of a whole network from its layers."""
    graph, recipe = layers.graph, layers.recipe
    (axis,) = graph.constants("channel", axis=np.array([1]))
    features = graph.add("Unsqueeze", [_normalised(graph, recipe), axis], "images_4d")  # (N, 1, H, W)
    for i in range(len(recipe.network.convolutions)):
        features = layers.convolution(i, features)
    (shape,) = graph.constants("sequence", shape=np.array([0, 0, -1]))
    sequence = graph.add("Reshape", [layers.sequence(features), shape], "sequence")  # (T', N, K F')
    for layer in range(recipe.network.layers):
        directions = graph.add("Transpose", [layers.lstm(layer, sequence)], f"lstm{layer}_by_sample", perm=[0, 2, 1, 3])
        sequence = graph.add("Reshape", [directions, shape], f"lstm{layer}_joined")  # (T', N, D H)
    graph.add("LogSoftmax", [layers.classifier(sequence)], OUTPUT, axis=-1)
    return graph


def _normalised(graph: Graph, recipe: Recipe) -> str:
    arrays = {key: np.array(getattr(recipe.image, key), np.float32) for key in ("mean", "scale")}
    mean_name, scale_name = graph.constants("grey", **arrays)
    grey = graph.add("Cast", [INPUT], "grey", to=TensorProto.FLOAT)
    return graph.add("Div", [graph.add("Sub", [grey, mean_name], "grey_centred"), scale_name], "grey_scaled")


def _gates_for_onnx(array: np.ndarray) -> np.ndarray:
    return array.reshape(4, -1, *array.shape[1:])[_GATES].reshape(array.shape)
