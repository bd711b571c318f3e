"""Symbols of whole networks, from a recipe.

The training symbol has two outputs: the class probabilities of every time step, without gradient, and the CTC cost of
every sample. The logits in between are called ``pred_fc_output``, which is where `inference_symbol` cuts.

Where the width of images is not fixed, batches are padded, and a second input says how wide each image is. What lies
behind an image's end is zero for every convolution, as what lies around an image is, and LSTM layers that read from the
end begin at the image's own. Behind it the network says blank, for certain. So a sample's output is the same in any
batch, and loss, decoders and metrics need not know of padding. (Batch normalisation does see padding in training.)
"""

from functools import partial
from typing import Optional, Sequence

from ocr_lib.mx import mx
from ocr_lib.net.loss import ctc_cost
from ocr_lib.net.lstm import lstm_layers, packed_lstm
from ocr_lib.net.quantized import Quantizers
from ocr_lib.net.weights import BATCH_NORM_EPSILON, NEVER
from ocr_lib.recipe.network import Convolution
from ocr_lib.recipe.recipe import Recipe

LOGITS = "pred_fc_output"


def training_symbol(recipe: Recipe, packed: bool = False) -> "mx.sym.Symbol":
    """Return the network with its loss.

    Inputs are ``data`` (N, T, F), ``label`` (N, L) and, if the recipe fixes no width, ``widths`` (N,), behind which
    data must be 0; outputs are the probabilities (N, T', C) and the costs (N,).

    Parameters
    ----------
    recipe : Recipe
    packed : bool
        Fused operators take their parameters as vectors, `ocr_lib.net.weights.packed_names`, which is some 7 % faster
        than to pack them in the graph; checkpoints have them apart.

    Raises
    ------
    OCRError
        If the loss is warpctc and its library is not to be had.
    """
    logits = logits_symbol(recipe, packed)  # (T', N, C)
    by_sample = mx.sym.transpose(mx.sym.softmax(logits, axis=-1), axes=(1, 0, 2))  # as MXNet expects of all outputs
    probabilities = mx.sym.BlockGrad(by_sample, name="softmax")  # (N, T', C)
    cost = ctc_cost(logits, mx.sym.Variable("label"), _time_steps(recipe), recipe.text.max_length, recipe.training.loss)
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
    quantizers = Quantizers(recipe)
    sequence = _sequence(data, None, recipe, True, quantizers)
    sequence = mx.sym._internal._mul_scalar(sequence, scalar=gain, name="features")
    hidden = (
        packed_lstm(sequence, network)
        if network.cell == "fused"
        else lstm_layers(sequence, recipe.time_steps, recipe.features, network)
    )
    hidden = mx.sym._internal._plus_scalar(hidden, scalar=shift, name="hidden")
    return _classifier(hidden, recipe, quantizers)


def inference_symbol(symbol: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Cut the loss off a symbol, if there is one, and end it in probabilities."""
    logits = symbol if symbol.list_outputs() == [LOGITS] else symbol.get_internals()[LOGITS]
    return mx.sym.softmax(logits, axis=-1)


def logits_symbol(recipe: Recipe, packed: bool = False) -> "mx.sym.Symbol":
    """Return the network of `training_symbol` up to its logits (T', N, C), without the loss."""
    network = recipe.network
    data = mx.sym.Variable("data")  # (N, T, F)
    widths = mx.sym.Variable("widths") if recipe.image.width is None else None  # (N,)
    ends = _ends(widths, network.convolutions)
    quantizers = Quantizers(recipe)
    data = quantizers.activation(data, "data", axes=3)
    sequence = _sequence(data, widths, recipe, False, quantizers)
    steps = _time_steps(recipe)
    if recipe.quantization:
        from ocr_lib.net.quantized_lstm import quantized_lstm_layers  # compiled code, which takes time to load

        hidden = quantized_lstm_layers(sequence, steps, recipe, quantizers, ends)  # (T', N, D)
    else:
        hidden = lstm_layers(sequence, steps, recipe.features, network, ends, packed)
    if network.output_norm:
        hidden = mx.sym.BatchNorm(hidden, axis=2, fix_gamma=False, eps=BATCH_NORM_EPSILON, momentum=0.9, name="pred_bn")
    if network.dropout:
        hidden = mx.sym.Dropout(hidden, p=network.dropout)
    if ends is None:
        return _classifier(hidden, recipe, quantizers)
    return _blank_behind(_classifier(hidden, recipe, quantizers, "pred"), ends)


def _time_steps(recipe: Recipe) -> Optional[int]:
    return None if recipe.image.width is None else recipe.time_steps


def _classifier(
    hidden: "mx.sym.Symbol", recipe: Recipe, quantizers: Quantizers, name: str = "pred_fc"
) -> "mx.sym.Symbol":
    weight, bias = (quantizers.parameter(f"pred_fc_{kind}") for kind in ("weight", "bias"))
    classes = recipe.alphabet.num_classes
    return mx.sym.FullyConnected(hidden, weight, bias, num_hidden=classes, flatten=False, name=name)


def _blank_behind(logits: "mx.sym.Symbol", ends: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Let the blank have all probability behind each sample's end."""
    parts = [mx.sym.slice_axis(logits, axis=2, begin=begin, end=end) for begin, end in ((0, 1), (1, None))]
    masked = [
        mx.sym.SequenceMask(part, ends, use_sequence_length=True, value=value)
        for part, value in zip(parts, (0.0, NEVER))
    ]
    return mx.sym.concat(*masked, dim=2, name=LOGITS.replace("_output", ""))


def _ends(widths: Optional["mx.sym.Symbol"], convolutions: Sequence[Convolution]) -> Optional["mx.sym.Symbol"]:
    """Return how many time steps (N,) the convolutions leave of images."""
    if widths is not None:
        for lost, pool in (convolution.shrinkage(0) for convolution in convolutions):
            widths = mx.sym.floor((widths - lost) / pool)
    return widths


def _sequence(
    data: "mx.sym.Symbol",
    widths: Optional["mx.sym.Symbol"],
    recipe: Recipe,
    folded: bool,
    quantizers: Quantizers,
) -> "mx.sym.Symbol":
    """Return the feature sequence (T', N, F'); without convolutions the columns themselves."""
    convolutions, channels = recipe.network.convolutions, recipe.image.channels
    if not convolutions:
        return mx.sym.transpose(data, axes=(1, 0, 2))  # (T, N, F)
    if channels == 1:
        features = mx.sym.expand_dims(data, axis=1)  # (N, 1, T, H)
    else:
        planes = mx.sym.reshape(data, shape=(0, 0, -4, channels, -1))  # (N, T, C, H)
        features = mx.sym.transpose(planes, axes=(0, 2, 1, 3))  # (N, C, T, H)
    for i, convolution in enumerate(convolutions):
        features = _convolution(features, convolution, i, folded, quantizers)
        if widths is not None:
            widths = _ends(widths, [convolution])
            features = _zero_behind(features, widths, convolution.filters)
    # (N, K, T', F') -> (T', N, K F')
    return mx.sym.reshape(mx.sym.transpose(features, axes=(2, 0, 1, 3)), shape=(0, 0, -3))


def _convolution(
    features: "mx.sym.Symbol", convolution: Convolution, i: int, folded: bool, quantizers: Quantizers
) -> "mx.sym.Symbol":
    """Put a convolution, batch normalisation, ReLU and pooling on features (N, K, T, F)."""
    kernel = convolution.kernel
    has_norm = convolution.batch_norm and not folded
    features = mx.sym.Convolution(
        features,
        num_filter=convolution.filters,
        kernel=kernel,
        pad=tuple(size // 2 * convolution.padding for size in kernel),
        no_bias=has_norm,
        name=f"conv{i}",
        **quantizers.arguments(f"conv{i}"),
    )
    if has_norm:
        features = mx.sym.BatchNorm(features, fix_gamma=False, eps=BATCH_NORM_EPSILON, momentum=0.9, name=f"bn{i}")
    # The order of these two does not matter to the result. For training this one leaves less to do; for inference
    # MXNet fuses the ReLU with a convolution right before it.
    relu = partial(mx.sym.Activation, act_type="relu", name=f"relu{i}")
    pool = convolution.pool
    pooling = partial(mx.sym.Pooling, kernel=pool, stride=pool, pool_type="max", name=f"pool{i}")
    features = pooling(relu(features)) if folded else relu(pooling(features))
    return quantizers.activation(features, f"conv{i}_output", axes=4)


def _zero_behind(features: "mx.sym.Symbol", ends: "mx.sym.Symbol", filters: int) -> "mx.sym.Symbol":
    """Set features (N, K, T, F) behind each sample's end to 0."""
    columns = mx.sym.reshape(features, shape=(-3, 0, 0))  # (N K, T, F)
    by_filter = mx.sym.repeat(ends, repeats=filters, axis=0)  # (N K,)
    masked = mx.sym.SequenceMask(columns, by_filter, use_sequence_length=True, axis=1)
    return mx.sym.reshape(masked, shape=(-4, -1, filters, 0, 0))
