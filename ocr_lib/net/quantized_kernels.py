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
def _multiply(x, matrix, products):
    """Multiply x (N, R) by a matrix (R, K): for the few rows of a part of a batch faster than BLAS is."""
    fours = matrix.shape[0] // 4 * 4
    for n in range(x.shape[0]):
        row = products[n]
        row[:] = 0
        for r in range(0, fours, 4):
            a, b, c, d = x[n, r], x[n, r + 1], x[n, r + 2], x[n, r + 3]
            of_a, of_b, of_c, of_d = matrix[r], matrix[r + 1], matrix[r + 2], matrix[r + 3]
            for k in range(row.size):
                row[k] += (a * of_a[k] + b * of_b[k]) + (c * of_c[k] + d * of_d[k])
        for r in range(fours, matrix.shape[0]):
            of_r = matrix[r]
            for k in range(row.size):
                row[k] += x[n, r] * of_r[k]


@inlined
def _round(values, slopes, levels):
    """Round values (K,) in place to levels, ties upwards; set slopes (K,), which are 0 for what is cut off."""
    step, low, high, is_binary = levels
    for k in range(values.size):
        number = values[k] / step
        if is_binary != 0:
            slopes[k] = np.float32(1) if abs(number) <= np.float32(1) else np.float32(0)
            values[k] = step if number >= 0 else -step
        else:
            cut = low if number < low else (high if number > high else number)
            slopes[k] = np.float32(1) if cut == number else np.float32(0)
            values[k] = np.float32(math.floor(cut + np.float32(0.5))) * step


@inlined
def _look_up(values, slopes, index, table, slopes_of_table, places):
    """Replace values (K,) by those of a table, and set slopes (K,); places is for K whole numbers."""
    step, low, high, _ = index
    for k in range(values.size):
        number = values[k] / step
        cut = low if number < low else (high if number > high else number)
        slopes[k] = np.float32(1) if cut == number else np.float32(0)
        places[k] = np.int32(math.floor(cut + np.float32(0.5)) - low)
    for k in range(values.size):
        values[k] = table[places[k]]
        slopes[k] *= slopes_of_table[places[k]]


@inlined
def _sigmoid(values, slopes, index, tables, places):
    if index.size:
        _look_up(values, slopes, index, tables[0], tables[1], places)
        return
    for k in range(values.size):
        value = np.float32(1) / (np.float32(1) + math.exp(-values[k]))
        values[k], slopes[k] = value, value * (np.float32(1) - value)


@inlined
def _tanh(values, slopes, index, tables, places):
    if index.size:
        _look_up(values, slopes, index, tables[2], tables[3], places)
        return
    for k in range(values.size):
        value = np.float32(math.tanh(values[k]))
        values[k], slopes[k] = value, np.float32(1) - value * value


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
    places = np.zeros(2 * units, np.int32)
    states[3:5] = 1
    for t in range(steps):
        if t:
            _multiply(states[0, t - 1], weight, sums)
        for n in range(samples):
            a, slope = gates[t, n], slopes[t, n]
            for k in range(4 * units):
                a[k] = inputs[t, n, k] + sums[n, k]
            _sigmoid(a[: 2 * units], slope[: 2 * units], index, tables, places)
            _tanh(a[2 * units : 3 * units], slope[2 * units : 3 * units], index, tables, places)
            _sigmoid(a[3 * units :], slope[3 * units :], index, tables, places)
            h, c, tanh_c = states[0, t, n], states[1, t, n], states[2, t, n]
            for j in range(units):
                c[j] = a[j] * a[2 * units + j]
            if t:
                before = states[1, t - 1, n]
                for j in range(units):
                    c[j] += a[units + j] * before[j]
            if cell.size:
                _round(c, states[4, t, n], cell)
            tanh_c[:] = c
            _tanh(tanh_c, states[5, t, n], index, tables, places)
            for j in range(units):
                h[j] = a[3 * units + j] * tanh_c[j]
            if hidden.size:
                _round(h, states[3, t, n], hidden)


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
            _multiply(of_sums[t + 1], weight, of_hidden)
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
