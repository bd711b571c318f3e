"""Symbols of whole networks, from a recipe.

The training symbol has two outputs: the class probabilities of every time step, without gradient, and the CTC cost of
every sample. The logits in between are called ``pred_fc_output``, which is where `inference_symbol` cuts.
"""

from typing import Sequence

from ocr_lib.mx import mx
from ocr_lib.net.loss import ctc_cost
from ocr_lib.net.lstm import lstm_layers
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


def inference_symbol(symbol: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Cut the loss off a training symbol, ours or the original example's, and end it in probabilities."""
    return mx.sym.softmax(symbol.get_internals()[LOGITS], axis=-1)


def _logits(recipe: Recipe) -> "mx.sym.Symbol":
    network = recipe.network
    data = mx.sym.Variable("data")  # (N, T, F)
    if network.convolutions:
        sequence = _convolutions(data, network.convolutions)  # (T', N, F')
        features = network.convolutions[-1].filters * recipe.feature_rows
    else:
        sequence = mx.sym.transpose(data, axes=(1, 0, 2))  # (T, N, F)
        features = recipe.image.height
    hidden = lstm_layers(sequence, recipe.time_steps, features, network)  # (T', N, D H)
    return mx.sym.FullyConnected(hidden, num_hidden=recipe.alphabet.num_classes, flatten=False, name="pred_fc")


def _convolutions(data: "mx.sym.Symbol", convolutions: Sequence[Convolution]) -> "mx.sym.Symbol":
    features = mx.sym.expand_dims(data, axis=1)  # (N, 1, T, F)
    for i, (filters, pool) in enumerate((c.filters, c.pool) for c in convolutions):
        features = mx.sym.Convolution(
            features, num_filter=filters, kernel=(3, 3), pad=(1, 1), no_bias=True, name=f"conv{i}"
        )
        features = mx.sym.BatchNorm(features, fix_gamma=False, eps=1e-5, momentum=0.9, name=f"bn{i}")
        # The order of these two does not matter to the result, and this one leaves less to do.
        features = mx.sym.Pooling(features, kernel=pool, stride=pool, pool_type="max", name=f"pool{i}")
        features = mx.sym.Activation(features, act_type="relu", name=f"relu{i}")
    # (N, K, T', F') -> (T', N, K F')
    return mx.sym.reshape(mx.sym.transpose(features, axes=(2, 0, 1, 3)), shape=(0, 0, -3))
