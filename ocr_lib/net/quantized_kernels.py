"""Compiled time steps of LSTM layers of few bits, forward and backward.

T time steps of N samples, H hidden units; gates are in the order i, f, c, o. Numbers are whole ones times steps, in
single precision, and exact. (Products of matrices are scipy's, which numba calls: numpy's BLAS is loaded before anyone
has told it to take one thread.) What may be a number's levels is given as (step, lowest, highest), in whole numbers; a
fourth number that is not 0 says that there are but two; an empty array leaves it in floating point.
"""

import math

import numpy as np

from ocr_lib.compiled import compiled, inlined


@inlined
def _rounded(x, levels):
    """Round to a level, ties upwards; also return the slope, which is 0 for what is cut off."""
    number = x / levels[0]
    if levels[3] != 0:
        return (levels[0] if number >= 0 else -levels[0]), np.float32(abs(number) <= 1)
    if number < levels[1]:
        return levels[1] * levels[0], np.float32(0)
    if number > levels[2]:
        return levels[2] * levels[0], np.float32(0)
    return np.float32(math.floor(number + np.float32(0.5))) * levels[0], np.float32(1)


@inlined
def _looked_up(x, index, values, slopes):
    """Return the value of a table at x, and the slope there."""
    number = x / index[0]
    inside = index[1] <= number <= index[2]
    number = min(max(number, index[1]), index[2])
    place = int(math.floor(number + np.float32(0.5)) - index[1])
    return values[place], slopes[place] if inside else np.float32(0)


@inlined
def _sigmoid(x, index, tables):
    if index.size:
        return _looked_up(x, index, tables[0], tables[1])
    value = np.float32(1) / (np.float32(1) + math.exp(-x))
    return value, value * (np.float32(1) - value)


@inlined
def _tanh(x, index, tables):
    if index.size:
        return _looked_up(x, index, tables[2], tables[3])
    value = np.float32(math.tanh(x))
    return value, np.float32(1) - value * value


@compiled("void(f4[:,:,::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1], f4[::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,:,::1])")
def lstm_forward(
    inputs: np.ndarray,
    weight: np.ndarray,
    tables: np.ndarray,
    index: np.ndarray,
    cell: np.ndarray,
    hidden: np.ndarray,
    gates: np.ndarray,
    slopes: np.ndarray,
    states: np.ndarray,
) -> None:
    """Do all time steps.

    Parameters
    ----------
    inputs : numpy.ndarray
        (T, N, 4 H), the input's share of the gates' sums, with biases.
    weight : numpy.ndarray
        (H, 4 H), of hidden states.
    tables : numpy.ndarray
        (4, 2^K): sigmoid, its slopes, tanh, its slopes.
    index, cell, hidden : numpy.ndarray
        Levels of what goes into the tables, of cell states and of hidden states.
    gates, slopes : numpy.ndarray
        (T, N, 4 H), for the gates, and their derivatives by their sums.
    states : numpy.ndarray
        (6, T, N, H), for hidden states, cell states, tanh of these, and the derivatives of the three by what they are
        rounded from.
    """
    steps, samples, units = states.shape[1:]
    sums = np.zeros((samples, 4 * units), np.float32)
    for t in range(steps):
        if t:
            np.dot(states[0, t - 1], weight, sums)
        for n in range(samples):
            for k in range(4 * units):
                x = inputs[t, n, k] + sums[n, k]
                if k // units == 2:
                    gates[t, n, k], slopes[t, n, k] = _tanh(x, index, tables)
                else:
                    gates[t, n, k], slopes[t, n, k] = _sigmoid(x, index, tables)
            for j in range(units):
                i, f, g, o = (
                    gates[t, n, j],
                    gates[t, n, units + j],
                    gates[t, n, 2 * units + j],
                    gates[t, n, 3 * units + j],
                )
                c = i * g
                if t:
                    c += f * states[1, t - 1, n, j]
                states[4, t, n, j] = 1
                if cell.size:
                    c, states[4, t, n, j] = _rounded(c, cell)
                states[1, t, n, j] = c
                states[2, t, n, j], states[5, t, n, j] = _tanh(c, index, tables)
                h = o * states[2, t, n, j]
                states[3, t, n, j] = 1
                if hidden.size:
                    h, states[3, t, n, j] = _rounded(h, hidden)
                states[0, t, n, j] = h


@compiled("void(f4[:,:,::1], f4[:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,:,::1], f4[:,:,::1], f4[:,::1])")
def lstm_backward(
    gradients: np.ndarray,
    weight: np.ndarray,
    gates: np.ndarray,
    slopes: np.ndarray,
    states: np.ndarray,
    of_sums: np.ndarray,
    of_weight: np.ndarray,
) -> None:
    """Find the gradients of the gates' sums, and of the weight of hidden states.

    Parameters
    ----------
    gradients : numpy.ndarray
        (T, N, H), of hidden states, as far as they are output.
    weight : numpy.ndarray
        (4 H, H), of hidden states.
    gates, slopes, states : numpy.ndarray
        From `lstm_forward`.
    of_sums : numpy.ndarray
        (T, N, 4 H), for the gradients.
    of_weight : numpy.ndarray
        (4 H, H), likewise.
    """
    steps, samples, units = gradients.shape
    of_hidden = np.zeros((samples, units), np.float32)
    of_cell = np.zeros((samples, units), np.float32)
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            np.dot(of_sums[t + 1], weight, of_hidden)
        for n in range(samples):
            for j in range(units):
                i, f, g, o = (
                    gates[t, n, j],
                    gates[t, n, units + j],
                    gates[t, n, 2 * units + j],
                    gates[t, n, 3 * units + j],
                )
                h = (gradients[t, n, j] + of_hidden[n, j]) * states[3, t, n, j]
                c = (of_cell[n, j] + h * o * states[5, t, n, j]) * states[4, t, n, j]
                of_sums[t, n, j] = c * g * slopes[t, n, j]
                of_sums[t, n, units + j] = np.float32(0)
                if t:
                    of_sums[t, n, units + j] = c * states[1, t - 1, n, j] * slopes[t, n, units + j]
                of_sums[t, n, 2 * units + j] = c * i * slopes[t, n, 2 * units + j]
                of_sums[t, n, 3 * units + j] = h * states[2, t, n, j] * slopes[t, n, 3 * units + j]
                of_cell[n, j] = c * f
    of_weight[:] = 0
    if steps > 1:
        behind_first = of_sums[1:].reshape((steps - 1) * samples, 4 * units)
        np.dot(behind_first.T, states[0, : steps - 1].copy().reshape((steps - 1) * samples, units), of_weight)
