"""LSTM layers in two forms, the unrolled graph and the fused operator, with one set of parameters.

The cell is that of Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000. Parameters are called
``l{layer}_[r_]{i2h,h2h}_{weight,bias}``, ``r_`` marking the direction that reads the last time step first. Their rows
are the gates in MXNet's order: input, forget, cell, output. States are zero before the first time step.
"""

from typing import Any, List, NamedTuple, Optional, Sequence

from ocr_lib.mx import mx
from ocr_lib.recipe.network import NetworkRecipe


class Direction(NamedTuple):
    """The parameters of one direction of one layer, H hidden units reading F features."""

    i2h_weight: Any  # (4 H, F)
    i2h_bias: Any  # (4 H,)
    h2h_weight: Any  # (4 H, H)
    h2h_bias: Any  # (4 H,)


def lstm_layers(
    data: "mx.sym.Symbol",
    steps: Optional[int],
    features: int,
    recipe: NetworkRecipe,
    ends: Optional["mx.sym.Symbol"] = None,
    packed: bool = False,
) -> "mx.sym.Symbol":
    """Put the recipe's LSTM layers on a sequence.

    Parameters
    ----------
    data : mxnet.symbol.Symbol
        (T, N, F).
    steps : int, optional
        T, which the unrolled graph needs.
    features : int
        F.
    recipe : NetworkRecipe
    ends : mxnet.symbol.Symbol, optional
        (N,), the time steps of each sample, T at most: what comes behind them changes nothing. All T when left out.
    packed : bool
        Each fused operator has one vector of parameters, see `ocr_lib.net.weights.packed_names`.

    Returns
    -------
    mxnet.symbol.Symbol
        (T, N, D), D being the network's width; of two directions that are concatenated the forward one comes first.
    """
    for layer in range(recipe.layers):
        if recipe.dropout:
            data = mx.sym.Dropout(data, p=recipe.dropout)
        directions = _parameters(layer, recipe.width if layer else features, recipe.hidden, recipe.bidirectional)
        if recipe.cell == "unrolled":
            assert steps is not None
            data = merged(_unrolled_layer(data, steps, directions, layer, recipe.hidden), recipe)
        elif ends is None or not recipe.bidirectional:
            data = _fused(data, directions, recipe, f"l{layer}", packed)
        else:
            data = merged(_to_own_ends(data, directions, recipe, ends, layer, packed), recipe)
    return data


def _parameters(layer: int, features: int, hidden: int, bidirectional: bool) -> List[Direction]:
    # The fused form can't infer these shapes from the packed vector, so they are stated.
    shapes = Direction((4 * hidden, features), (4 * hidden,), (4 * hidden, hidden), (4 * hidden,))
    return [
        Direction(*(mx.sym.Variable(prefix + name, shape=shape) for name, shape in shapes._asdict().items()))
        for prefix in [f"l{layer}_", f"l{layer}_r_"][: 1 + bidirectional]
    ]


def merged(outputs: Sequence["mx.sym.Symbol"], network: NetworkRecipe) -> "mx.sym.Symbol":
    """Merge the outputs (T, N, H) of a layer's directions."""
    if len(outputs) == 1:
        return outputs[0]
    return mx.sym.concat(*outputs, dim=2) if network.merge == "concat" else outputs[0] + outputs[1]


def _fused(
    data: "mx.sym.Symbol", directions: Sequence[Direction], network: NetworkRecipe, name: str, packed: bool
) -> "mx.sym.Symbol":
    parameters = mx.sym.Variable(f"{name}_parameters", init=mx.init.Zero()) if packed else _packed(directions)
    output = _operator(data, parameters, network.hidden, len(directions) == 2, f"{name}_lstm")
    return _both_halves(output, network) if len(directions) == 2 else output


def _packed(directions: Sequence[Direction]) -> "mx.sym.Symbol":
    """Put parameters into one vector, as the operator wants it: all weights by direction, then biases likewise."""
    weights = [mx.sym.reshape(w, shape=(-1,)) for d in directions for w in (d.i2h_weight, d.h2h_weight)]
    biases = [b for d in directions for b in (d.i2h_bias, d.h2h_bias)]
    return mx.sym._internal._rnn_param_concat(*weights, *biases, dim=0)


def _both_halves(output: "mx.sym.Symbol", network: NetworkRecipe) -> "mx.sym.Symbol":
    """Merge what the operator gives for two directions, (T, N, 2 H)."""
    if network.merge == "concat":
        return output
    forward, backward = (
        mx.sym.slice_axis(output, axis=2, begin=begin, end=begin + network.hidden) for begin in (0, network.hidden)
    )
    return forward + backward


def _to_own_ends(
    data: "mx.sym.Symbol",
    directions: Sequence[Direction],
    network: NetworkRecipe,
    ends: "mx.sym.Symbol",
    layer: int,
    packed: bool,
) -> List["mx.sym.Symbol"]:
    """Run the two directions apart, the second from each sample's own end: on a CPU the operator knows no lengths."""
    backward = _fused(reversed_sequence(data, ends), directions[1:], network, f"l{layer}_r", packed)
    return [_fused(data, directions[:1], network, f"l{layer}", packed), reversed_sequence(backward, ends)]


def reversed_sequence(data: "mx.sym.Symbol", ends: Optional["mx.sym.Symbol"] = None) -> "mx.sym.Symbol":
    """Turn a sequence (T, N, F) around, each sample's as far as its own end (N,)."""
    if ends is None:
        return mx.sym.reverse(data, axis=0)
    return mx.sym.SequenceReverse(data, sequence_length=ends, use_sequence_length=True)


def packed_lstm(data: "mx.sym.Symbol", recipe: NetworkRecipe) -> "mx.sym.Symbol":
    """Put the recipe's LSTM layers on a sequence, each a fused operator with one parameter, ``l{layer}_parameters``.

    Parameters
    ----------
    data : mxnet.symbol.Symbol
        (T, N, F).

    Returns
    -------
    mxnet.symbol.Symbol
        (T, N, D), D being the network's width.
    """
    for layer in range(recipe.layers):
        packed = mx.sym.Variable(f"l{layer}_parameters")
        # The quantized operator has the states as outputs, so one that it is to replace must have them too.
        data = _operator(data, packed, recipe.hidden, recipe.bidirectional, f"l{layer}", state_outputs=True)[0]
        data = _both_halves(data, recipe) if recipe.bidirectional else data
    return data


def _operator(
    data: "mx.sym.Symbol",
    packed: "mx.sym.Symbol",
    hidden: int,
    bidirectional: bool,
    name: str,
    state_outputs: bool = False,
) -> "mx.sym.Symbol":
    corner = mx.sym.slice(data, begin=(0, None, 0), end=(1, None, 1))  # (1, N, 1)
    size = (1 + bidirectional, hidden)
    zeros = mx.sym.broadcast_axis(mx.sym.zeros_like(corner), axis=(0, 2), size=size)
    return mx.sym.RNN(
        data,
        packed,
        zeros,
        zeros,
        mode="lstm",
        num_layers=1,
        state_size=hidden,
        bidirectional=bidirectional,
        state_outputs=state_outputs,
        name=name,
    )


def _unrolled_layer(
    data: "mx.sym.Symbol", steps: int, directions: Sequence[Direction], layer: int, hidden: int
) -> List["mx.sym.Symbol"]:
    return [
        _unrolled(data, steps, parameters, hidden, f"l{layer}{'_r' * reverse}_", bool(reverse))
        for reverse, parameters in enumerate(directions)
    ]


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
