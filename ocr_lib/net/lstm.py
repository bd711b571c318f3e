"""LSTM layers in two forms, the unrolled graph and the fused operator, with one set of parameters.

The cell is that of Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000. Parameters are called
``l{layer}_[r_]{i2h,h2h}_{weight,bias}``, ``r_`` marking the direction that reads the last time step first. Their rows
are the gates in MXNet's order: input, forget, cell, output. States are zero before the first time step.
"""

from typing import Any, List, NamedTuple

from ocr_lib.mx import mx
from ocr_lib.recipe import NetworkRecipe


class Direction(NamedTuple):
    """The parameters of one direction of one layer, H hidden units reading F features."""

    i2h_weight: Any  # (4 H, F)
    i2h_bias: Any  # (4 H,)
    h2h_weight: Any  # (4 H, H)
    h2h_bias: Any  # (4 H,)


def lstm_layers(data: "mx.sym.Symbol", steps: int, features: int, recipe: NetworkRecipe) -> "mx.sym.Symbol":
    """Put the recipe's LSTM layers on a sequence.

    Parameters
    ----------
    data : mxnet.symbol.Symbol
        (T, N, F).
    steps, features : int
        T and F.

    Returns
    -------
    mxnet.symbol.Symbol
        (T, N, H), or (T, N, 2 H) if the recipe is bidirectional, forward outputs first.
    """
    width = recipe.hidden * (1 + recipe.bidirectional)
    layers = [
        _parameters(layer, features if layer == 0 else width, recipe.hidden, recipe.bidirectional)
        for layer in range(recipe.layers)
    ]
    if recipe.cell == "fused":
        return _fused(data, layers, recipe.hidden)
    for layer, directions in enumerate(layers):
        outputs = [
            _unrolled(data, steps, parameters, recipe.hidden, f"l{layer}{'_r' * reverse}_", bool(reverse))
            for reverse, parameters in enumerate(directions)
        ]
        data = mx.sym.concat(*outputs, dim=2) if recipe.bidirectional else outputs[0]  # (T, N, D H)
    return data


def _parameters(layer: int, features: int, hidden: int, bidirectional: bool) -> List[Direction]:
    # The fused form can't infer these shapes from the packed vector, so they are stated.
    shapes = Direction((4 * hidden, features), (4 * hidden,), (4 * hidden, hidden), (4 * hidden,))
    return [
        Direction(*(mx.sym.Variable(prefix + name, shape=shape) for name, shape in shapes._asdict().items()))
        for prefix in [f"l{layer}_", f"l{layer}_r_"][: 1 + bidirectional]
    ]


def _fused(data: "mx.sym.Symbol", layers: List[List[Direction]], hidden: int) -> "mx.sym.Symbol":
    directions = [direction for layer in layers for direction in layer]
    # The operator wants one vector: all weights by layer and direction, then all biases in the same order.
    weights = [mx.sym.reshape(w, shape=(-1,)) for d in directions for w in (d.i2h_weight, d.h2h_weight)]
    biases = [b for d in directions for b in (d.i2h_bias, d.h2h_bias)]
    packed = mx.sym._internal._rnn_param_concat(*weights, *biases, dim=0)
    return _operator(data, packed, len(layers), hidden, len(layers[0]) == 2, "lstm")


def packed_lstm(data: "mx.sym.Symbol", recipe: NetworkRecipe) -> "mx.sym.Symbol":
    """Put the recipe's LSTM layers on a sequence, each a fused operator with one parameter, ``l{layer}_parameters``.

    Parameters
    ----------
    data : mxnet.symbol.Symbol
        (T, N, F).

    Returns
    -------
    mxnet.symbol.Symbol
        (T, N, D H).
    """
    for layer in range(recipe.layers):
        packed = mx.sym.Variable(f"l{layer}_parameters")
        # The quantized operator has the states as outputs, so one that it is to replace must have them too.
        data = _operator(data, packed, 1, recipe.hidden, recipe.bidirectional, f"l{layer}", state_outputs=True)[0]
    return data


def _operator(
    data: "mx.sym.Symbol",
    packed: "mx.sym.Symbol",
    layers: int,
    hidden: int,
    bidirectional: bool,
    name: str,
    state_outputs: bool = False,
) -> "mx.sym.Symbol":
    corner = mx.sym.slice(data, begin=(0, None, 0), end=(1, None, 1))  # (1, N, 1)
    size = (layers * (1 + bidirectional), hidden)
    zeros = mx.sym.broadcast_axis(mx.sym.zeros_like(corner), axis=(0, 2), size=size)
    return mx.sym.RNN(
        data,
        packed,
        zeros,
        zeros,
        mode="lstm",
        num_layers=layers,
        state_size=hidden,
        bidirectional=bidirectional,
        state_outputs=state_outputs,
        name=name,
    )


def _unrolled(
    data: "mx.sym.Symbol", steps: int, parameters: Direction, hidden: int, prefix: str, reverse: bool
) -> "mx.sym.Symbol":
    # The input's share of the gates does not depend on the states: one product for all time steps.
    i2h = mx.sym.FullyConnected(
        data, parameters.i2h_weight, parameters.i2h_bias, num_hidden=4 * hidden, flatten=False, name=f"{prefix}i2h"
    )  # (T, N, 4 H)
    gates_by_step = mx.sym.split(i2h, num_outputs=steps, axis=0, squeeze_axis=True)  # T x (N, 4 H)
    h = c = mx.sym.zeros_like(mx.sym.slice_axis(gates_by_step[0], axis=1, begin=0, end=hidden))  # (N, H)
    outputs = []
    for step in reversed(range(steps)) if reverse else range(steps):
        name = f"{prefix}t{step}_"
        h2h = mx.sym.FullyConnected(
            h, parameters.h2h_weight, parameters.h2h_bias, num_hidden=4 * hidden, name=f"{name}h2h"
        )
        gates = mx.sym.split(gates_by_step[step] + h2h, num_outputs=4, axis=1, name=f"{name}gates")  # 4 x (N, H)
        i, f, o = (mx.sym.sigmoid(gates[k]) for k in (0, 1, 3))
        c = f * c + i * mx.sym.tanh(gates[2])
        h = o * mx.sym.tanh(c)
        outputs.append(h)
    return mx.sym.stack(*(outputs[::-1] if reverse else outputs), axis=0)  # (T, N, H)
