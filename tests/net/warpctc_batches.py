"""Batches for libwarpctc, and what MXNet's own operator makes of them."""

import numpy as np

from ocr_lib.mx import mx

TIME_STEPS, CLASSES, LABEL_WIDTH = 12, 5, 4


def random_batch(seed, samples, time_steps=TIME_STEPS, classes=CLASSES, label_width=LABEL_WIDTH):
    """Return logits (T, N, C) and labels (N, L) of random lengths, from 0 up, that fit into the time steps."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((samples, label_width), np.float32)
    for row in labels:
        digits = rng.integers(1, classes, rng.integers(0, label_width + 1))
        if len(digits) + np.count_nonzero(digits[1:] == digits[:-1]) <= time_steps:
            row[: len(digits)] = digits
    return rng.normal(0, 3, (time_steps, samples, classes)).astype(np.float32), labels


def mxnet_loss(logits, labels):
    """Return the costs and gradients of MXNet's own operator."""
    data = mx.nd.array(logits)
    data.attach_grad()
    with mx.autograd.record():
        costs = mx.nd.contrib.ctc_loss(data, mx.nd.array(labels), blank_label="first")
    costs.backward()
    return costs.asnumpy(), data.grad.asnumpy()
