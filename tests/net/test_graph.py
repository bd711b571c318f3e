"""Saved symbols, cut at an output: what is left computes the same. What MXNet can't be trusted with is refused."""

import json

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.build import LOGITS, training_symbol
from ocr_lib.net.graph import check_outputs, cut_graph
from ocr_lib.recipe.settings import load_preset, override, preset_names
from tests import original_example

NAME = LOGITS.replace("_output", "")
SIZES = {"steps": 6, "hidden": 3, "layers": 2}


def cut(graph):
    return json.loads(cut_graph(json.dumps(graph).encode(), NAME))


def loaded(graph):
    return mx.sym.load_json(json.dumps(cut(graph)))


def classic():
    return json.loads(original_example.symbol(**SIZES).tojson())


def node_of(graph, name):
    return next(node for node in graph["nodes"] if node["name"] == name)


def logits(symbol):
    """Return what the example's network, cut, makes of a random image with random parameters."""
    shapes = {
        "data": (2, SIZES["steps"], 5),
        **{f"l{i}_init_{kind}": (2, SIZES["hidden"]) for i in (0, 1) for kind in "ch"},
    }
    executor = symbol.simple_bind(mx.cpu(), **shapes, grad_req="null")
    params = original_example.random_params(rows=5, hidden=SIZES["hidden"])
    executor.copy_params_from(params)
    data = np.random.default_rng(0).normal(size=shapes["data"])
    states = {name: mx.nd.zeros(shape) for name, shape in shapes.items() if name != "data"}
    return executor.forward(data=mx.nd.array(data), **states)[0].asnumpy()


EXPECTED = logits(original_example.symbol(**SIZES).get_internals()[LOGITS])


class TestCut:
    # Symbols of few bits have code of ours in them, and are built anew, not loaded.
    @pytest.mark.parametrize("name", [name for name in preset_names() if not load_preset(name).quantization])
    def test_is_what_mxnet_would_cut(self, name):
        recipe = load_preset(name)
        if recipe.image.width is None:
            recipe = override(recipe, [("image.width", 320), ("training.sorted_epochs", 0)])
        whole = training_symbol(recipe)
        expected = json.loads(whole.get_internals()[LOGITS].tojson())
        found = json.loads(loaded(json.loads(whole.tojson())).tojson())
        assert [(node["op"], node["name"], node["inputs"]) for node in found["nodes"]] == [
            (node["op"], node["name"], node["inputs"]) for node in expected["nodes"]
        ]
        for one, other in zip(found["nodes"], expected["nodes"]):
            assert one["op"] == "null" or one.get("attrs") == other.get("attrs")

    def test_of_the_original_example(self):
        symbol = loaded(classic())
        assert symbol.list_outputs() == [LOGITS]
        assert "label" not in symbol.list_arguments()
        np.testing.assert_array_equal(logits(symbol), EXPECTED)

    def test_of_a_loss_that_this_mxnet_lacks(self):
        graph = json.loads(original_example.warpctc_symbol(**SIZES))
        with pytest.raises(mx.base.MXNetError):
            mx.sym.load_json(json.dumps(graph))
        np.testing.assert_array_equal(logits(loaded(graph)), EXPECTED)

    @pytest.mark.parametrize("version", [10901, 10600, 10000, 20000, 2**31 - 1])
    def test_of_any_version_since_1_is_loaded_without_a_word(self, capfd, version):
        graph = classic()
        graph["attrs"]["mxnet_version"][1] = version
        np.testing.assert_array_equal(logits(loaded(graph)), EXPECTED)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("key, version", [("attr", 1200), ("attr", 905), ("param", None)])
    def test_of_old_versions(self, key, version):
        graph = classic()
        for node in graph["nodes"]:
            own = node.pop("attrs", {})
            node.update({"attr": {"ctx_group": "x"}, "param": own} if key == "param" else {"attr": own})
            node["inputs"] = [entry[:2] for entry in node["inputs"]]
            node["backward_source_id"] = -1
        graph["heads"] = [entry[:2] for entry in graph["heads"]]
        del graph["node_row_ptr"]
        graph["attrs"] = {"mxnet_version": ["int", version]}
        if version is None:
            del graph["attrs"]
        np.testing.assert_array_equal(logits(loaded(graph)), EXPECTED)

    def test_of_a_loss_of_pythons_that_is_not_there(self):
        graph = classic()
        graph["nodes"][-1].update(op="Custom", attrs={"op_type": "unheard_of"})
        np.testing.assert_array_equal(logits(loaded(graph)), EXPECTED)

    def test_only_what_is_computed_of_a_variable_is_kept(self):
        graph = classic()
        node_of(graph, "l0_i2h_weight")["attrs"] = {"__shape__": "(12, 5)", "__init__": "[]", "__dtype__": "99"}
        assert node_of(cut(graph), "l0_i2h_weight")["attrs"] == {"__shape__": "(12, 5)"}


def forward(graph):
    node_of(graph, "t0_l0_i2h")["inputs"][0][0] = len(graph["nodes"]) - 1


def itself(graph):
    place = graph["nodes"].index(node_of(graph, NAME))
    graph["nodes"][place]["inputs"][0][0] = place


def change(**fields):
    """Return a function that changes fields of the first product."""
    return lambda graph: node_of(graph, "t0_l0_i2h").update(fields)


def attribute(**attributes):
    """Return a function that changes attributes of the first product."""
    return lambda graph: node_of(graph, "t0_l0_i2h")["attrs"].update(attributes)


def a_variable_reads(graph):
    node_of(graph, "l1_i2h_weight")["inputs"] = [[0, 0, 0]]


def many_nodes(graph):
    variable = {"op": "null", "name": "x", "inputs": []}
    place = graph["nodes"].index(node_of(graph, NAME))
    graph["nodes"][place]["inputs"] += [[len(graph["nodes"]) + i, 0, 0] for i in range(100_000)]
    graph["nodes"] += [variable] * 100_000
    graph["nodes"].append(graph["nodes"].pop(place))
    node_of(graph, NAME)["inputs"] = [[i, 0, 0] for i in range(len(graph["nodes"]) - 1)]


INNER = {"op": "_sg_mkldnn_fully_connected", "attrs": {}}
BEGIN, END = b'{"nodes":[{"op":"x","name":"pred_fc","inputs":[],"subgraphs":[', b']}],"arg_nodes":[],"heads":[[0,0,0]]}'
DEEP = BEGIN * 10**5 + END * 10**5
HOSTILE = {
    "forward": forward,
    "itself": itself,
    "negative": change(inputs=[[-1, 0, 0]]),
    "beyond": change(inputs=[[10**9, 0, 0]]),
    "no-output": change(inputs=[[0, -1, 0]]),
    "no-entry": change(inputs=[[0]]),
    "long-entry": change(inputs=[[0, 0, 0, 0]]),
    "fraction": change(inputs=[[0.5, 0, 0]]),
    "variable": a_variable_reads,
    "unknown-field": change(att2s={}),
    "no-text": change(attrs={"num_hidden": 12}),
    "no-name": change(name=None),
    "no-operator": change(op=""),
    "address": change(op="_Native", attrs={"info": "0x7fff00000000"}),
    "address-2": change(op="_NDArray", attrs={"info": "1"}),
    "python": change(op="Custom", attrs={"op_type": "warpctc"}),
    "file": change(op="_cvimread", attrs={"filename": "/etc/passwd"}),
    "large": attribute(num_hidden="99999999999"),
    "large-in-a-tuple": attribute(kernel="(3, 10000000)"),
    "many-outputs": change(op="SliceChannel", attrs={"num_outputs": "100001"}),
    "many-inputs": change(op="Concat", attrs={"num_args": "100001"}),
    "no-number": change(op="SliceChannel", attrs={"num_outputs": "x"}),
    "many-nodes": many_nodes,
    "lengths": attribute(use_sequence_length="True"),
    "inner-forward": change(
        **INNER,
        subgraphs=[
            {
                "nodes": [
                    {"op": "FullyConnected", "name": "a", "inputs": [[1, 0, 0]]},
                    {"op": "null", "name": "b", "inputs": []},
                ],
                "arg_nodes": [1],
                "heads": [[0, 0, 0]],
            }
        ],
    ),
    "inner-head": change(**INNER, subgraphs=[{"nodes": [], "arg_nodes": [], "heads": [[0, 0, 0]]}]),
    "inner-none": change(**INNER, subgraphs=[{"nodes": [], "arg_nodes": [], "heads": []}]),
}


class TestRefused:
    @pytest.mark.parametrize("damage", HOSTILE.values(), ids=HOSTILE)
    def test_what_mxnet_can_not_be_trusted_with(self, damage):
        graph = classic()
        cut(graph)
        damage(graph)
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            cut(graph)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        "data", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"nodes": [{"op": "x"}]}', b"[" * 10**6, DEEP]
    )
    def test_what_is_no_graph(self, data):
        with pytest.raises(ValueError):  # noqa: PT011
            cut_graph(data, NAME)

    @pytest.mark.parametrize("name", ["no_such_node", "twice"])
    def test_an_output_that_is_not_there_or_there_twice(self, name):
        graph = classic()
        for node in graph["nodes"][:2]:
            node["name"] = "twice"
        with pytest.raises(LookupError):
            cut_graph(json.dumps(graph).encode(), name)

    @pytest.mark.parametrize("output", [4, 5, 10**8, 2**32 - 1])
    def test_outputs_that_are_not_there(self, output):
        graph = classic()
        check_outputs(loaded(graph).tojson().encode())
        reading = next(node for node in graph["nodes"] if [e[1] for e in node["inputs"]] == [3])  # one of four gates
        reading["inputs"][0][1] = output
        with pytest.raises(ValueError, match=f"has no output {output}$"):
            check_outputs(loaded(graph).tojson().encode())
