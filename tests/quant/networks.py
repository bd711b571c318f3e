"""Small networks to quantize, and what there is to see of them then."""

import json
from collections import Counter

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import split_params
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import override
from tests.small_network import mark_recipe

WIDTH, HEIGHT = 16, 13
CONVOLUTIONS = [{"filters": 3, "pool": [2, 2]}, {"filters": 5, "pool": [2, 2]}]
NETWORKS = {"raw": [], "two-conv": CONVOLUTIONS}
TEXTS = ["0089", "7", "31415", "", "555", "90", "1234567"]
CONVOLUTION, PRODUCT, LSTM = "_sg_mkldnn_conv", "_sg_mkldnn_fully_connected", "_contrib_quantized_rnn"

cells = pytest.mark.parametrize("cell", ["fused", "unrolled"])
networks = pytest.mark.parametrize("convolutions", NETWORKS.values(), ids=NETWORKS)
with_onednn = pytest.mark.skipif(not mx.runtime.Features().is_enabled("MKLDNN"), reason="this MXNet has no oneDNN")


def make_recipe(height=HEIGHT, **network):
    sizes = [("image.width", WIDTH), ("image.height", height), ("text.min_length", 1), ("text.max_length", 1)]
    sizes += [("network.hidden", 16), *((f"network.{key}", value) for key, value in network.items())]
    return override(mark_recipe(), sizes)


def random_images(count, seed=0, height=HEIGHT):
    """Return images of squares, which differ more from each other than those of single pixels do."""
    squares = np.random.default_rng(seed).integers(0, 256, (count, -(-height // 4), WIDTH // 4), np.uint8)
    return squares.repeat(4, axis=1).repeat(4, axis=2)[:, :height]


def quantized_reader(checkpoint, quantized, batch_size=128):
    arg_params, aux_params = split_params(quantized.params)
    return Reader(
        checkpoint._replace(symbol=quantized.symbol, arg_params=arg_params, aux_params=aux_params), batch_size
    )


def differences(checkpoint, quantized, images):
    """Return by how much probabilities differ, once they are seen to be worth comparing."""
    expected = Reader(checkpoint).probabilities(images)
    assert np.ptp(expected, axis=1).max() > 0.05, "the images are read too much alike to tell anything"
    return np.abs(quantized_reader(checkpoint, quantized).probabilities(images) - expected)


def nodes_of(symbol):
    return json.loads(symbol.tojson())["nodes"]


def belongs(node, layer):
    """Tell whether a node is a layer's, or has a part of it within."""
    inner = [each["name"] for graph in node.get("subgraphs", []) for each in graph["nodes"] if each["op"] != "null"]
    names = [node["name"].replace("quantized_", "", 1), *inner]
    return node["op"] != "null" and any(f"{name}_".startswith(f"{layer}_") for name in names)


def is_quantized(node):
    return node.get("attrs", {}).get("quantized", "").lower() == "true"


def count(symbol, operator):
    return sum(node["op"] == operator for node in nodes_of(symbol))


def quantized_layers(symbol):
    """Count the quantized nodes of a symbol by operator."""
    return Counter(node["op"] for node in nodes_of(symbol) if is_quantized(node))
