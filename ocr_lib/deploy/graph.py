"""The ONNX graph of a network, node by node from its recipe and weights.

``images`` (N, H, W) uint8, or in colour (N, 3 H, W), come in, ``log_probabilities`` (T', N, C) float32 go out; N and W
are free. Where the recipe fixes no width, ``widths`` (N,) int64 come in too, of the images without padding. The opset
is 13, which every ONNX Runtime since 1.7 runs.
"""

from typing import Any, Dict, List, Sequence, Union

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto, helper, numpy_helper

from ocr_lib.alphabet import BLANK
from ocr_lib.deploy.metadata import Metadata
from ocr_lib.deploy.predictor import INPUT, OUTPUT, WIDTHS
from ocr_lib.geometry import Shrinkage
from ocr_lib.installation import DISTRIBUTION
from ocr_lib.net.weights import NEVER, Weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe

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
        inputs = [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", recipe.image.column_size, "W"])]
        if recipe.image.width is None:
            inputs.append(helper.make_tensor_value_info(WIDTHS, TensorProto.INT64, ["N"]))
        shape: List[Union[int, str, None]] = ["T", "N", recipe.alphabet.num_classes]
        outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self._nodes, recipe.name, inputs, outputs, self._constants)
        domains = sorted({node.domain for node in self._nodes})
        opsets = [helper.make_opsetid(domain, 1 if domain else OPSET) for domain in domains]
        model = helper.make_model(graph, producer_name=DISTRIBUTION, opset_imports=opsets, ir_version=IR_VERSION)
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
        self.steps = ""  # the name of each sample's time steps (N,) int32, where there is padding

    def input(self, features: str) -> str:
        """Add what is done to the input of the first layer."""
        return features

    def convolution(self, index: int, features: str) -> str:
        """Add a convolution, ReLU and max pooling: (N, C, H, W) in, (N, K, H', W') out."""
        parameters = self.graph.constants(f"conv{index}", weight=self.kernel(index), bias=self.bias(index))
        name = self.graph.add("Conv", [features, *parameters], f"conv{index}", pads=self.pads(index))
        return self.pool(index, self.graph.add("Relu", [name], f"relu{index}"))

    def sequence(self, features: str) -> str:
        """Turn features (N, K, F', T') into a sequence (T', N, K, F')."""
        return self.graph.add("Transpose", [features], "columns", perm=[3, 0, 1, 2])

    def lstm(self, layer: int, sequence: str) -> str:
        """Add an LSTM layer: (T, N, F) in, (T, directions, N, H) out."""
        arrays = {kind: np.stack(self.lstm_weights(layer, kind)) for kind in "WRB"}
        operands = [sequence, *self.graph.constants(f"lstm{layer}", **arrays), self.steps]
        return self.graph.add("LSTM", operands, f"lstm{layer}", **self.lstm_attributes())

    def classifier(self, sequence: str) -> str:
        """Add the classifier: (T, N, D H) in, logits (T, N, C) out."""
        weight, bias = self.weights["pred_fc_weight"].T, self.weights["pred_fc_bias"]
        weight_name, bias_name = self.graph.constants("pred_fc", weight=weight, bias=bias)
        product = self.graph.add("MatMul", [sequence, weight_name], "pred_fc_product")
        return self.graph.add("Add", [product, bias_name], "pred_fc")

    def feature_type(self) -> DTypeLike:
        """Return the type of what convolutions give."""
        return np.float32

    def pool(self, index: int, features: str) -> str:
        """Add the max pooling of a convolution."""
        steps, rows = self.recipe.network.convolutions[index].pool
        window = [rows, steps]
        return self.graph.add("MaxPool", [features], f"pool{index}", kernel_shape=window, strides=window)

    def pads(self, index: int) -> List[int]:
        """Return how many rows and columns of zeros are put before the features of a convolution, and behind."""
        convolution = self.recipe.network.convolutions[index]
        steps, rows = (size // 2 * convolution.padding for size in convolution.kernel)
        return [rows, steps, rows, steps]

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
            np.concatenate([gates_for_onnx(self.weights[prefix + name]) for name in names])
            for prefix in direction_names(self.recipe.network)[layer]
        ]

    def lstm_attributes(self) -> Dict[str, Any]:
        """Return the attributes of the operator."""
        network = self.recipe.network
        return {"hidden_size": network.hidden, "direction": "bidirectional" if network.bidirectional else "forward"}


def build(layers: Layers) -> Graph:
    """Build the graph of a whole network from its layers."""
    graph, recipe = layers.graph, layers.recipe
    padding = _Padding(graph) if recipe.image.width is None else None
    (axis,) = graph.constants("channel", axis=np.array([1]))
    (planes,) = graph.constants("planes", shape=np.array([0, recipe.image.channels, recipe.image.height, -1]))
    normalised = layers.input(_normalised(graph, recipe))
    features = graph.add("Reshape", [normalised, planes], "images_4d")  # (N, C, H, W)
    if padding:
        features = padding.zero_behind(features, np.float32)
    for i, convolution in enumerate(recipe.network.convolutions):
        features = layers.convolution(i, features)
        if padding:
            padding.shrink(convolution.shrinkage(0))
            features = padding.zero_behind(features, layers.feature_type())
    if padding:
        layers.steps = graph.add("Cast", [padding.widths], "steps", to=TensorProto.INT32)
    (shape,) = graph.constants("sequence", shape=np.array([0, 0, -1]))
    sequence = graph.add("Reshape", [layers.sequence(features), shape], "sequence")  # (T', N, K F')
    for layer in range(recipe.network.layers):
        directions = layers.lstm(layer, sequence)  # (T', directions, N, H)
        if recipe.network.bidirectional and recipe.network.merge == "sum":
            sequence = graph.add("ReduceSum", [directions, axis], f"lstm{layer}_summed", keepdims=0)  # (T', N, H)
            continue
        by_sample = graph.add("Transpose", [directions], f"lstm{layer}_by_sample", perm=[0, 2, 1, 3])
        sequence = graph.add("Reshape", [by_sample, shape], f"lstm{layer}_joined")  # (T', N, D)
    logits = layers.classifier(sequence)
    if padding:
        logits = padding.blank_behind(logits, recipe.alphabet.num_classes)
    graph.add("LogSoftmax", [logits], OUTPUT, axis=-1)
    return graph


class _Padding:
    """Adds what makes the output of a sample the same in any batch, as `ocr_lib.net.build` tells.

    Attributes
    ----------
    widths : str
        The name of each sample's width, (N,) int64, at the layer that was added last.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._count = 0
        self.widths = WIDTHS

    def shrink(self, shrinkage: Shrinkage) -> None:
        """Take into account what a convolution does to widths."""
        self._count += 1
        name = f"widths{self._count}"
        lost, pool = self._graph.constants(name, **{key: np.array(n) for key, n in shrinkage._asdict().items()})
        left = self._graph.add("Sub", [self.widths, lost], f"{name}_left")
        self.widths = self._graph.add("Div", [left, pool], name)

    def zero_behind(self, features: str, dtype: DTypeLike) -> str:
        """Set features (N, K, F', T') behind each sample's end to 0."""
        name = f"{features}_masked"
        (zero,) = self._graph.constants(name, zero=np.zeros((), dtype))
        return self._graph.add("Where", [self._inside(features, 3, [1, 2, 3]), features, zero], name)

    def blank_behind(self, logits: str, num_classes: int) -> str:
        """Let the blank have all probability behind each sample's end: logits (T', N, C) in and out."""
        blank = np.full(num_classes, NEVER, np.float32)
        blank[BLANK] = 0
        (name,) = self._graph.constants("blank", logits=blank)
        inside = self._graph.add("Transpose", [self._inside(logits, 0, [1, 2])], "inside", perm=[2, 0, 1])
        return self._graph.add("Where", [inside, logits, name], "logits_masked")

    def _inside(self, tensor: str, axis: int, unsqueezed: List[int]) -> str:
        """Return which steps along an axis are before each sample's end: (N, T'), with more axes in the places of 1."""
        name = f"{tensor}_ends"
        numbers = {"axis": np.array(axis), "begin": np.array(0), "by": np.array(1), "axes": np.array(unsqueezed)}
        axis_name, begin, by, axes = self._graph.constants(name, **numbers)
        shape = self._graph.add("Shape", [tensor], f"{name}_shape")
        size = self._graph.add("Gather", [shape, axis_name], f"{name}_size")
        steps = self._graph.add("Range", [begin, size, by], f"{name}_steps")
        ends = self._graph.add("Unsqueeze", [self.widths, axes], name)
        return self._graph.add("Less", [steps, ends], f"{name}_inside")


def _normalised(graph: Graph, recipe: Recipe) -> str:
    arrays = {key: np.array(getattr(recipe.image, key), np.float32) for key in ("mean", "scale")}
    mean_name, scale_name = graph.constants("grey", **arrays)
    grey = graph.add("Cast", [INPUT], "grey", to=TensorProto.FLOAT)
    return graph.add("Div", [graph.add("Sub", [grey, mean_name], "grey_centred"), scale_name], "grey_scaled")


def gates_for_onnx(array: np.ndarray) -> np.ndarray:
    """Bring the rows of gates (4 H, ...) from MXNet's order to ONNX's."""
    return array.reshape(4, -1, *array.shape[1:])[_GATES].reshape(array.shape)


def gates_from_onnx(array: np.ndarray) -> np.ndarray:
    """Bring the rows of gates (4 H, ...) from ONNX's order to MXNet's."""
    return array.reshape(4, -1, *array.shape[1:])[np.argsort(_GATES)].reshape(array.shape)
