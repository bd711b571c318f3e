"""Connectionist temporal classification (Graves et al. 2006) as the head of a training symbol."""

from typing import Optional

from ocr_lib.mx import mx
from ocr_lib.net import warpctc


def ctc_cost(
    logits: "mx.sym.Symbol", label: "mx.sym.Symbol", steps: Optional[int], width: int, loss: str
) -> "mx.sym.Symbol":
    """Put a CTC loss on logits.

    Parameters
    ----------
    logits : mxnet.symbol.Symbol
        (T, N, C), class 0 being the blank.
    label : mxnet.symbol.Symbol
        (N, L), padded with 0; L at most T.
    steps, width : int
        T, None if it is not fixed, and L.
    loss : {"ctc", "warpctc"}
        MXNet's own operator, or Baidu's library: the native operator where this MXNet was built with it and the sizes
        are fixed, else the plugin in `ocr_lib.net.warpctc`.

    Returns
    -------
    mxnet.symbol.Symbol
        (N,), the negative log-likelihood of each sample's label.

    Raises
    ------
    OCRError
        If the loss is warpctc and its library is not to be had.
    """
    if loss == "warpctc" and (steps is None or not warpctc.has_native()):
        return mx.sym.MakeLoss(warpctc.warpctc_loss(logits, label), name="cost")
    cost = mx.sym.contrib.ctc_loss(logits, label, blank_label="first", name="ctc_loss")
    if loss == "ctc":
        return mx.sym.MakeLoss(cost, name="cost")
    # The native operator gives probabilities, not costs, and its backward pass ignores the gradient that reaches it.
    native = mx.sym.WarpCTC(
        data=mx.sym.reshape(logits, shape=(-3, 0)),
        label=mx.sym.cast(mx.sym.reshape(label, shape=(-1,)), dtype="int32"),
        input_length=steps,
        label_length=width,
        name="warpctc",
    )
    return mx.sym.MakeLoss(mx.sym.broadcast_add(mx.sym.BlockGrad(cost), 0 * mx.sym.sum(native)), name="cost")
