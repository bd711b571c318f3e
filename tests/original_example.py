"""The network of MXNet's own LSTM-CTC example, as that saves it, and what its own script would read.

Built here from its description, node by node, so that nothing of ours takes part.
"""

import json

import cv2
import numpy as np

from ocr_lib.mx import mx

STEPS, ROWS, HIDDEN, LAYERS, CLASSES, LABEL_WIDTH = 80, 30, 100, 2, 11, 4


def symbol(steps=STEPS, hidden=HIDDEN, layers=LAYERS, classes=CLASSES):
    data, label = mx.sym.Variable("data"), mx.sym.Variable("label")
    columns = mx.sym.SliceChannel(data, num_outputs=steps, axis=1, squeeze_axis=True)  # T x (N, F)
    names = ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")
    weights = [{name: mx.sym.Variable(f"l{i}_{name}") for name in names} for i in range(layers)]
    states = [(mx.sym.Variable(f"l{i}_init_c"), mx.sym.Variable(f"l{i}_init_h")) for i in range(layers)]
    tops = []
    for t in range(steps):
        hidden_below = columns[t]
        for i in range(layers):
            cell, output = states[i]
            own = weights[i]
            i2h = mx.sym.FullyConnected(
                hidden_below,
                weight=own["i2h_weight"],
                bias=own["i2h_bias"],
                num_hidden=4 * hidden,
                name=f"t{t}_l{i}_i2h",
            )
            h2h = mx.sym.FullyConnected(
                output, weight=own["h2h_weight"], bias=own["h2h_bias"], num_hidden=4 * hidden, name=f"t{t}_l{i}_h2h"
            )
            gates = mx.sym.SliceChannel(i2h + h2h, num_outputs=4, name=f"t{t}_l{i}_slice")
            in_gate, transform, forget_gate, out_gate = (
                mx.sym.Activation(gates[k], act_type="tanh" if k == 1 else "sigmoid") for k in range(4)
            )
            cell = forget_gate * cell + in_gate * transform
            output = out_gate * mx.sym.Activation(cell, act_type="tanh")
            states[i] = cell, output
            hidden_below = output
        tops.append(hidden_below)
    rows = mx.sym.Concat(*tops, dim=0)  # (T N, H)
    logits = mx.sym.FullyConnected(rows, num_hidden=classes, name="pred_fc")
    by_step = mx.sym.Reshape(logits, shape=(-4, steps, -1, 0))  # (T, N, C)
    loss = mx.sym.MakeLoss(mx.sym.contrib.ctc_loss(by_step, label))
    softmax = mx.sym.MakeLoss(mx.sym.softmax(logits, name="softmax"))
    return mx.sym.Group([mx.sym.BlockGrad(softmax), loss])


def warpctc_symbol(steps=STEPS, hidden=HIDDEN, layers=LAYERS, classes=CLASSES):
    """Return, as JSON, the symbol that the example saves where its loss is MXNet's WarpCTC, which this MXNet lacks."""
    network = symbol(steps, hidden, layers, classes).get_internals()["pred_fc_output"]
    label = mx.sym.Cast(mx.sym.Reshape(mx.sym.Variable("label"), shape=(-1,)), dtype="int32")
    graph = json.loads(mx.sym.broadcast_add(network, label, name="warpctc0").tojson())
    loss = graph["nodes"][-1]
    loss.update(op="WarpCTC", attrs={"input_length": str(steps), "label_length": str(LABEL_WIDTH)})
    return json.dumps(graph, indent=2)


def random_params(seed=0, rows=ROWS, hidden=HIDDEN, layers=LAYERS, classes=CLASSES):
    """Return parameters strong enough that different images are read differently."""
    rng = np.random.default_rng(seed)
    shapes = {"pred_fc_weight": (classes, hidden), "pred_fc_bias": (classes,)}
    for i in range(layers):
        shapes[f"l{i}_i2h_weight"] = (4 * hidden, hidden if i else rows)
        shapes[f"l{i}_h2h_weight"] = (4 * hidden, hidden)
        shapes[f"l{i}_i2h_bias"] = shapes[f"l{i}_h2h_bias"] = (4 * hidden,)
    return {name: mx.nd.array(rng.normal(0, 0.3, shape)) for name, shape in shapes.items()}


def save(prefix, epoch=100, params=None, **sizes):
    """Save a checkpoint with MXNet's own function, as the example does, and return its parameters."""
    if params is None:
        shared = {key: value for key, value in sizes.items() if key != "steps"}
        params = random_params(**shared)
    mx.model.save_checkpoint(str(prefix), epoch, symbol(**{k: v for k, v in sizes.items() if k != "rows"}), params, {})
    return params


def predict(prefix, image_path, epoch=100):
    """Read one image as the example's script does; return its digits, and the probabilities (T, C)."""
    return script(prefix, epoch)(image_path)


def script(prefix, epoch=100):
    """Return a function that reads images as the example's script does; see `predict`."""
    whole, arg_params, aux_params = mx.model.load_checkpoint(str(prefix), epoch)
    network = mx.sym.softmax(whole.get_internals()["pred_fc_output"])
    states = {f"l{i}_init_{kind}": (1, HIDDEN) for i in range(LAYERS) for kind in "ch"}
    executor = network.simple_bind(mx.cpu(), data=(1, STEPS, ROWS), **states, grad_req="null")
    executor.copy_params_from(arg_params, aux_params)
    for name in states:
        executor.arg_dict[name][:] = 0

    def read(image_path):
        columns = prepare(image_path).transpose((1, 0)).reshape((1, STEPS, ROWS)) / 255
        probabilities = executor.forward(is_train=False, data=mx.nd.array(columns))[0].asnumpy()
        digits, previous = [], 0
        for best in probabilities.argmax(axis=1).tolist():
            if best not in (0, previous):
                digits.append(best - 1)
            previous = best
        return digits, probabilities

    return read


def prepare(image_path):
    """Return an image, (ROWS, STEPS) uint8, as the example's script prepares it."""
    return cv2.resize(cv2.imread(str(image_path), 0), (STEPS, ROWS))
