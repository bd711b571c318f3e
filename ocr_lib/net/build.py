"""Symbols of whole networks, from a recipe.

The training symbol has two outputs: the class probabilities of every time step, without gradient, and the CTC cost of
every sample. The logits in between are called ``pred_fc_output``, which is where `inference_symbol` cuts.
"""

from functools import partial
from typing import Sequence

from ocr_lib.mx import mx
from ocr_lib.net.loss import ctc_cost
from ocr_lib.net.lstm import lstm_layers, packed_lstm
from ocr_lib.net.weights import BATCH_NORM_EPSILON
from ocr_lib.recipe import Convolution, Recipe

LOGITS = "pred_fc_output"


def training_symbol(recipe: Recipe) -> "mx.sym.Symbol":
    """Return the network with its loss.

    Inputs are ``data`` (N, T, F) and ``label`` (N, L); outputs are the probabilities (T', N, C) and the costs (N,).

    Raises
    ------
    OCRError
        If the loss is warpctc and its library is not to be had.
    """
    logits = _logits(recipe)  # (T', N, C)
    with mx.AttrScope(__layout__="TNC"):  # tells a Module on several devices which axis its batches were split along
        probabilities = mx.sym.BlockGrad(mx.sym.softmax(logits, axis=-1), name="softmax")
    cost = ctc_cost(logits, mx.sym.Variable("label"), recipe.time_steps, recipe.text.max_length, recipe.training.loss)
    return mx.sym.Group([probabilities, cost])


def folded_symbol(recipe: Recipe, gain: float = 1.0, shift: float = 0.0) -> "mx.sym.Symbol":
    """Return the network for inference alone, with parameters as `ocr_lib.net.weights` makes them of the trained ones.

    Batch normalisation is folded into the convolutions, and each fused LSTM layer has one vector of parameters.

    Parameters
    ----------
    recipe : Recipe
    gain, shift : float
        What the LSTM's input, called ``features``, is multiplied by, and what is added to its output.

    Returns
    -------
    mxnet.symbol.Symbol
        The logits (T', N, C); the input is ``data`` (N, T, F).
    """
    network = recipe.network
    data = mx.sym.Variable("data")  # (N, T, F)
    sequence = mx.sym._internal._mul_scalar(_sequence(data, network.convolutions, True), scalar=gain, name="features")
    if network.cell == "fused":
        hidden = packed_lstm(sequence, network)
    else:
        hidden = lstm_layers(sequence, recipe.time_steps, recipe.features, network)
    return _classifier(mx.sym._internal._plus_scalar(hidden, scalar=shift, name="hidden"), recipe)


def inference_symbol(symbol: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Cut the loss off a training symbol, ours or the original example's, and end it in probabilities."""
    return mx.sym.softmax(symbol.get_internals()[LOGITS], axis=-1)


def _logits(recipe: Recipe) -> "mx.sym.Symbol":
    data = mx.sym.Variable("data")  # (N, T, F)
    sequence = _sequence(data, recipe.network.convolutions, False)
    return _classifier(lstm_layers(sequence, recipe.time_steps, recipe.features, recipe.network), recipe)


def _classifier(hidden: "mx.sym.Symbol", recipe: Recipe) -> "mx.sym.Symbol":
    return mx.sym.FullyConnected(hidden, num_hidden=recipe.alphabet.num_classes, flatten=False, name="pred_fc")


def _sequence(data: "mx.sym.Symbol", convolutions: Sequence[Convolution], folded: bool) -> "mx.sym.Symbol":
    """Return the feature sequence (T', N, F'); without convolutions the columns themselves."""
    if not convolutions:
        return mx.sym.transpose(data, axes=(1, 0, 2))  # (T, N, F)
    features = mx.sym.expand_dims(data, axis=1)  # (N, 1, T, F)
    for i, (filters, pool) in enumerate((c.filters, c.pool) for c in convolutions):
        features = mx.sym.Convolution(
            features, num_filter=filters, kernel=(3, 3), pad=(1, 1), no_bias=not folded, name=f"conv{i}"
        )
        if not folded:
            features = mx.sym.BatchNorm(features, fix_gamma=False, eps=BATCH_NORM_EPSILON, momentum=0.9, name=f"bn{i}")
        # The order of these two does not matter to the result. For training this one leaves less to do; for inference
        # MXNet fuses the ReLU with a convolution right before it.
        relu = partial(mx.sym.Activation, act_type="relu", name=f"relu{i}")
        pooling = partial(mx.sym.Pooling, kernel=pool, stride=pool, pool_type="max", name=f"pool{i}")
        features = pooling(relu(features)) if folded else relu(pooling(features))
    # (N, K, T', F') -> (T', N, K F')
    return mx.sym.reshape(mx.sym.transpose(features, axes=(2, 0, 1, 3)), shape=(0, 0, -3))
