"""Saved symbols as graphs: cut at an output, and checked before MXNet sees them. No MXNet needed.

What follows a network's logits is its loss, which is of no use to inference and may be an operator that this MXNet
lacks. And MXNet believes what a file says: of an output that no node has, or of a million of them, it dies.
"""

import re
from itertools import chain
from typing import Dict, Iterator, List, Optional, Tuple

import msgspec
from msgspec import Meta
from typing_extensions import Annotated

_MOST = 100_000  # nodes, inputs or outputs
_VERSION = 10901  # of MXNet, 1.9.1
# What layers are made of. Other operators whose names begin with _ are not meant for graphs: some take an address.
_OPERATOR = re.compile(
    r"(?!Custom$)[a-zA-Z]\w*"
    r"|_(copy|zeros|ones|rnn_param_concat|(?i:r?(plus|minus|mul|div|power|maximum|minimum)(_?scalar)?))"
    r"|_contrib_(quantize|dequantize|requantize)\w*|_sg_mkldnn_(conv|fully_connected)"
)
_LARGE = re.compile(r"(?<![\d.])\d{7,}(?![\d.])")  # whole numbers so large that MXNet's products of them may overflow
_COUNTS = ("num_args", "num_outputs")

_Index = Annotated[int, Meta(ge=0)]
_Entry = Annotated[List[_Index], Meta(min_length=2, max_length=3)]  # a node, which of its outputs, and a version


class _Node(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A variable, whose operator is ``null``, or an operator.

    What is now `attrs` was `attr` before MXNet 1.0, and `param` before 0.9, where `attr` was something else. Some files
    have what only training reads, besides.
    """

    op: str
    name: str
    inputs: List[_Entry]
    attrs: Optional[Dict[str, str]] = None
    attr: Optional[Dict[str, str]] = None
    param: Optional[Dict[str, str]] = None
    subgraphs: List["_Graph"] = []
    backward_source_id: Optional[int] = None
    control_deps: List[_Index] = []


class _Notes(msgspec.Struct, omit_defaults=True, frozen=True):
    mxnet_version: Optional[Tuple[str, int]] = None


class _Graph(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A symbol as MXNet saves it. `node_row_ptr` says where the outputs of each node begin among those of all."""

    nodes: List[_Node]
    heads: List[_Entry]
    arg_nodes: List[_Index]
    attrs: _Notes = _Notes()
    node_row_ptr: List[_Index] = []


def cut_graph(data: bytes, name: str) -> bytes:
    """Cut a saved symbol at the first output of a node.

    Parameters
    ----------
    data : bytes
        JSON, as any version of MXNet saves it.
    name : str
        The node's.

    Returns
    -------
    bytes
        The JSON of the symbol that has this output alone.

    Raises
    ------
    ValueError
        If it is no symbol, or none that MXNet can be trusted with.
    LookupError
        If no node, or more than one, has this name.
    """
    try:
        graph = msgspec.json.decode(data, type=_Graph)
        found = [i for i, node in enumerate(graph.nodes) if node.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} nodes are called {name}")
        part = _part(graph, [[found[0], 0, 0]])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not the JSON of a symbol: {error}") from error
    nodes = list(_nodes_of(part))
    if len(nodes) + sum(int(_attributes(node).get(key, 0)) for node in nodes for key in _COUNTS) > _MOST:
        raise ValueError("too many nodes, inputs or outputs")
    # Where nothing is of an old form MXNet has nothing to convert, and is kept from printing lines about versions.
    is_old = any(node.attr is not None or node.param is not None for node in graph.nodes)
    part.attrs = graph.attrs if is_old else _Notes(("int", _VERSION))
    return msgspec.json.encode(part)


def check_outputs(data: bytes) -> None:
    """Check a symbol that MXNet has loaded, as MXNet saves it again: there it counts the outputs of each node.

    Raises
    ------
    ValueError
        If an output is read that is not there.
    """
    try:
        _check_outputs(msgspec.json.decode(data, type=_Graph))
    except msgspec.MsgspecError as error:
        raise ValueError(f"MXNet saves it otherwise: {error}") from error


def _part(graph: _Graph, heads: List[List[int]]) -> _Graph:
    """Return what outputs of a graph are computed from."""
    wanted = {node for node, *_ in heads}
    if not wanted or max(wanted) >= len(graph.nodes):
        raise ValueError("a head is no node")
    for i in reversed(range(len(graph.nodes))):
        if i in wanted:
            _check(graph.nodes[i], i)
            wanted.update(node for node, *_ in graph.nodes[i].inputs)
    places = {old: new for new, old in enumerate(sorted(wanted))}
    nodes = [_moved(graph.nodes[i], places) for i in places]
    variables = [i for i, node in enumerate(nodes) if node.op == "null"]
    return _Graph(nodes, _moved_entries(heads, places), variables)


def _check(node: _Node, place: int) -> None:
    if not _OPERATOR.fullmatch(node.op):
        raise ValueError(f"{node.op!r} is no operator that layers are made of")
    if any(source >= place for source, *_ in node.inputs) or (node.op == "null" and node.inputs):
        raise ValueError(f"{node.name!r} reads what comes after it")
    attributes = _attributes(node)
    if any(_LARGE.search(value) for value in attributes.values()):
        raise ValueError(f"{node.name!r} has numbers that are too large")
    if attributes.get("use_sequence_length", "False") not in ("False", "0"):
        raise ValueError(f"{node.name!r} reads as far as computed lengths say, which MXNet does not check")


def _attributes(node: _Node) -> Dict[str, str]:
    """Return an operator's own attributes, or a variable's shape: the rest is for training."""
    stated = (node.attrs, node.param, node.attr)
    attributes = next((each for each in stated if each is not None), {})
    is_variable = node.op == "null"
    return {key: value for key, value in attributes.items() if (key == "__shape__" if is_variable else key[:2] != "__")}


def _moved(node: _Node, places: Dict[int, int]) -> _Node:
    inputs = _moved_entries(node.inputs, places)
    subgraphs = [_part(graph, graph.heads) for graph in node.subgraphs]
    return _Node(node.op, node.name, inputs, attrs=_attributes(node), subgraphs=subgraphs)


def _moved_entries(entries: List[List[int]], places: Dict[int, int]) -> List[List[int]]:
    return [[places[node], *rest] for node, *rest in entries]


def _nodes_of(graph: _Graph) -> Iterator[_Node]:
    for node in graph.nodes:
        yield node
        for subgraph in node.subgraphs:
            yield from _nodes_of(subgraph)


def _check_outputs(graph: _Graph) -> None:
    counts = [end - begin for begin, end in zip(graph.node_row_ptr, graph.node_row_ptr[1:])]
    for source, output, *_ in chain(graph.heads, *(node.inputs for node in graph.nodes)):
        if output >= counts[source]:
            raise ValueError(f"{graph.nodes[source].name!r} has no output {output}")
    for subgraph in chain.from_iterable(node.subgraphs for node in graph.nodes):
        _check_outputs(subgraph)
