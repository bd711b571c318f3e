"""Networks in numpy, from the equations: images go through alone, so there is no padding."""

import numpy as np
from scipy.signal import correlate

EPSILON = 1e-5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_forward(images, params, recipe):
    """Return the probabilities (T', N, C) of a network's images (N, H, W), or (N, 3 H, W), of one width."""
    network = recipe.network
    p = {name.rpartition(":")[2]: array.astype(np.float64) for name, array in params.items()}
    x = (images - recipe.image.mean) / recipe.image.scale
    x = np.stack(np.split(x, recipe.image.channels, axis=1), axis=1).swapaxes(2, 3)  # (N, C, T, H)
    for i, convolution in enumerate(network.convolutions):
        x = np.stack([convolve(sample, p[f"conv{i}_weight"], convolution.padding) for sample in x])
        x += p.get(f"conv{i}_bias", np.zeros(convolution.filters))[:, None, None]
        if convolution.batch_norm:
            x = batch_norm(x.transpose(0, 2, 3, 1), p, f"bn{i}").transpose(0, 3, 1, 2)
        x = max_pool(np.maximum(x, 0), *convolution.pool)
    n, k, t, f = x.shape
    x = numpy_lstm(x.transpose(2, 0, 1, 3).reshape(t, n, k * f), p, network)
    if network.output_norm:
        x = batch_norm(x, p, "pred_bn")
    scores = np.exp(x @ p["pred_fc_weight"].T + p["pred_fc_bias"])
    return scores / scores.sum(axis=2, keepdims=True)


def convolve(planes, kernels, padding):
    """Slide kernels (K, C, rows, columns) over planes (C, T, F), if need be with a margin of zeros."""
    margins = [(size // 2, size // 2) if padding else (0, 0) for size in kernels.shape[2:]]
    framed = np.pad(planes, [(0, 0), *margins])
    return np.stack([correlate(framed, kernel, "valid", "direct")[0] for kernel in kernels])


def batch_norm(x, p, name):
    """Normalise features, the last axis, as inference does."""
    gamma, beta, mean, variance = (p[f"{name}_{kind}"] for kind in ("gamma", "beta", "moving_mean", "moving_var"))
    return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def max_pool(x, columns, rows):
    """Return the largest values of (N, K, T, F) in windows, of whole ones alone."""
    whole = x[:, :, : x.shape[2] // columns * columns, : x.shape[3] // rows * rows]
    return np.max([whole[:, :, a::columns, b::rows] for a in range(columns) for b in range(rows)], axis=0)


def numpy_lstm(data, params, network):
    """Run a recipe's LSTM layers over (T, N, F)."""
    for layer in range(network.layers):
        outputs = [numpy_direction(data, params, f"l{layer}_")]
        if network.bidirectional:
            outputs.append(numpy_direction(data[::-1], params, f"l{layer}_r_")[::-1])
        data = np.concatenate(outputs, axis=2) if network.merge == "concat" else sum(outputs)
    return data


def numpy_direction(data, params, prefix):
    """Run one direction over (T, N, F), first row first; the gates are in the order i, f, c, o."""
    names = [prefix + name for name in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")]
    i2h_weight, i2h_bias, h2h_weight, h2h_bias = (params[name].astype(np.float64) for name in names)
    hidden = h2h_weight.shape[1]
    h = c = np.zeros((data.shape[1], hidden))
    outputs = []
    for x in data:
        gates = x @ i2h_weight.T + i2h_bias + h @ h2h_weight.T + h2h_bias
        i, f, new, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)
