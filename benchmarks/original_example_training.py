"""Training as MXNet's own LSTM-CTC example does it, written anew from its description: the baseline of peers.py.

Processes render one image at a time and queue it; the parent collects a batch in a loop; the network is unrolled node
by node, its initial states being inputs; the metrics are computed sample by sample in Python; MXNet runs as installed.
"""

import multiprocessing
import os
import random
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np
from captcha.image import ImageCaptcha
from report import Contestant, repeating

STEPS, ROWS, HIDDEN, LAYERS, CLASSES, LABEL_WIDTH = 80, 30, 100, 2, 11, 4
BATCH = 128
STATES = {f"l{layer}_init_{kind}": (BATCH, HIDDEN) for layer in range(LAYERS) for kind in "ch"}


def _as_installed() -> None:
    """Have MXNet run as it does of itself: operators in threads of its own, half of the cores."""
    os.environ["MXNET_ENGINE_TYPE"] = "ThreadedEnginePerDevice"
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // 2))


@contextmanager
def training(fonts: Sequence[Path]) -> Iterator[Contestant]:
    """Give a contestant that trains end to end, with a rendering process on each core."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue(2 * BATCH)
    processes = [context.Process(target=_render, args=(fonts, queue), daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in processes:
        process.start()
    _as_installed()
    module = _module()  # loads MXNet, which must not be there when a process is forked
    states = _states()

    def work() -> int:
        batch = _next_batch(queue, states)
        module.forward_backward(batch)
        module.update()
        metrics(batch.label[0].asnumpy(), module.get_outputs()[0].asnumpy())
        return BATCH

    yield repeating(work)
    for process in processes:
        process.terminate()


def step() -> Callable[[], int]:
    """Return a function that does a training step."""
    _as_installed()
    from ocr_lib.mx import mx

    module = _module()
    rng = np.random.default_rng(0)
    data = mx.nd.array(rng.random((BATCH, STEPS, ROWS)))
    label = mx.nd.array(rng.integers(1, CLASSES, (BATCH, LABEL_WIDTH)))
    batch = mx.io.DataBatch([data, *_states()], [label])

    def work() -> int:
        module.forward_backward(batch)
        module.update()
        mx.nd.waitall()
        return BATCH

    return work


def metrics(labels: np.ndarray, probabilities: np.ndarray) -> Tuple[float, float]:
    """Return the example's metrics of labels (N, L) and probabilities (T N, C).

    They are the share of samples read right, and the mean share of a label that its longest common subsequence with the
    reading has.
    """
    right = common = 0.0
    for k, row in enumerate(labels):
        label = [int(c) for c in row if c]
        path = [int(np.argmax(probabilities[t * len(labels) + k])) for t in range(STEPS)]
        reading = [c for t, c in enumerate(path) if c and (t == 0 or c != path[t - 1])]
        right += label == reading
        common += _lcs(label, reading) / len(label)
    return right / len(labels), common / len(labels)


def _render(fonts: Sequence[Path], queue: Any) -> None:
    captcha = ImageCaptcha(fonts=[str(font) for font in fonts])
    while True:
        text = "".join(random.choices("0123456789", k=random.randint(3, 4)))
        data = np.frombuffer(captcha.generate(text).getvalue(), np.uint8)
        grey = cv2.resize(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), (STEPS, ROWS))
        queue.put((grey.transpose() / 255, text))  # (T, F)


def _next_batch(queue: Any, states: List[Any]) -> Any:
    from ocr_lib.mx import mx

    data, label = [], np.zeros((BATCH, LABEL_WIDTH))
    for row in label:
        image, text = queue.get()
        data.append(image)
        row[: len(text)] = [int(digit) + 1 for digit in text]
    return mx.io.DataBatch([mx.nd.array(np.array(data)), *states], [mx.nd.array(label)])


def _states() -> List[Any]:
    from ocr_lib.mx import mx

    return [mx.nd.zeros(shape) for shape in STATES.values()]


def _module() -> Any:
    from ocr_lib.mx import mx

    module = mx.mod.Module(_symbol(), data_names=["data", *STATES], label_names=["label"], context=mx.cpu())
    module.bind([("data", (BATCH, STEPS, ROWS)), *STATES.items()], [("label", (BATCH, LABEL_WIDTH))])
    module.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
    module.init_optimizer(optimizer="sgd", optimizer_params={"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-5})
    return module


def _symbol() -> Any:
    """Return the probabilities (T N, C) and the costs (N,)."""
    from ocr_lib.mx import mx

    hidden = mx.sym.split(mx.sym.Variable("data"), num_outputs=STEPS, axis=1, squeeze_axis=True)  # T x (N, F)
    for layer in range(LAYERS):
        kinds = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
        weights = {kind: mx.sym.Variable(f"l{layer}_{kind}") for kind in kinds}
        state = mx.sym.Variable(f"l{layer}_init_c"), mx.sym.Variable(f"l{layer}_init_h")
        outputs = []
        for t in range(STEPS):
            state = _cell(mx, hidden[t], state, weights, f"t{t}_l{layer}")
            outputs.append(state[1])
        hidden = outputs
    logits = mx.sym.FullyConnected(mx.sym.concat(*hidden, dim=0), num_hidden=CLASSES, name="pred_fc")  # (T N, C)
    by_step = mx.sym.reshape(logits, shape=(-4, STEPS, -1, 0))  # (T, N, C)
    cost = mx.sym.MakeLoss(mx.sym.contrib.ctc_loss(by_step, mx.sym.Variable("label")))
    return mx.sym.Group([mx.sym.BlockGrad(mx.sym.MakeLoss(mx.sym.softmax(logits))), cost])


def _cell(mx: Any, below: Any, state: Tuple[Any, Any], weights: Dict[str, Any], name: str) -> Tuple[Any, Any]:
    """Return the state (c, h) after a time step."""
    gates = 4 * HIDDEN
    i2h = mx.sym.FullyConnected(below, weights["i2h_weight"], weights["i2h_bias"], num_hidden=gates, name=f"{name}_i2h")
    h2h = mx.sym.FullyConnected(
        state[1], weights["h2h_weight"], weights["h2h_bias"], num_hidden=gates, name=f"{name}_h2h"
    )
    parts = mx.sym.split(i2h + h2h, num_outputs=4, name=f"{name}_gates")
    i, f, o = (mx.sym.sigmoid(parts[k]) for k in (0, 2, 3))
    c = f * state[0] + i * mx.sym.tanh(parts[1])
    return c, o * mx.sym.tanh(c)


def _lcs(one: List[int], other: List[int]) -> int:
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if a == b else max(lengths[i][j + 1], lengths[i + 1][j])
    return lengths[-1][-1]
