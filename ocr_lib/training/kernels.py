"""Compiled arithmetic on whole vectors: what would take a pass over them for each operation takes one."""

import numpy as np

from ocr_lib.compiled import compiled

_LANES = 8


@compiled("void(f4[:,::1], f4[::1])")
def sum_rows(rows: np.ndarray, total: np.ndarray) -> None:
    """Sum as many numbers of rows (P, S), in their order, as `total` has."""
    total[:] = 0
    for k in range(rows.shape[0]):
        for i in range(total.size):
            total[i] += rows[k, i]


@compiled("f8(f4[::1])")
def squared_norm(vector: np.ndarray) -> float:
    """Return the sum of squares, in double precision."""
    lanes = np.zeros(_LANES)  # what a processor adds up side by side, in an order that does not depend on it
    whole = vector.size // _LANES * _LANES
    for i in range(0, whole, _LANES):
        for lane in range(_LANES):
            number = np.float64(vector[i + lane])
            lanes[lane] += number * number
    for i in range(whole, vector.size):
        lanes[i - whole] += np.float64(vector[i]) * np.float64(vector[i])
    return lanes.sum()


@compiled("void(f4[::1], f4[::1], f4[::1], f4, f4, f4, f4)")
def momentum_step(
    weights: np.ndarray,
    gradients: np.ndarray,
    momenta: np.ndarray,
    rate: float,
    momentum: float,
    rescale: float,
    decay: float,
) -> None:
    """Do a step of gradient descent with momentum, vectors (S,)."""
    for i in range(weights.size):
        gradient = gradients[i] * rescale + decay * weights[i]
        momenta[i] = momentum * momenta[i] - rate * gradient
        weights[i] += momenta[i]


@compiled("void(f4[::1], f4[::1], f4[::1], f4[::1], f4, f4, f4, f4, f4, f4)")
def adam_step(
    weights: np.ndarray,
    gradients: np.ndarray,
    means: np.ndarray,
    variances: np.ndarray,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    rescale: float,
    decay: float,
) -> None:
    """Do a step of Adam (Kingma and Ba 2015), vectors (S,); `rate` has the correction of bias in it."""
    one = np.float32(1)
    for i in range(weights.size):
        gradient = gradients[i] * rescale + decay * weights[i]
        means[i] = beta1 * means[i] + (one - beta1) * gradient
        variances[i] = beta2 * variances[i] + (one - beta2) * gradient * gradient
        weights[i] -= rate * means[i] / (np.sqrt(variances[i]) + epsilon)


@compiled("void(f4[::1], f4[::1], i8, i8, i4[::1])")
def pack_signs(numbers: np.ndarray, steps: np.ndarray, machines: int, digits: int, packed: np.ndarray) -> None:
    """Take from numbers (S,) their signs times `steps`, of those beyond half a step.

    Parameters
    ----------
    numbers, steps : numpy.ndarray
        (S,); what is taken is subtracted.
    machines, digits : int
        Each of `packed` has so many signs, plus 1, as its digits to the base of ``2 * machines + 1``.
    packed : numpy.ndarray
        (ceil(S / digits),).
    """
    half = np.float32(0.5)
    for k in range(packed.size):
        word = 0
        for i in range(min((k + 1) * digits, numbers.size) - 1, k * digits - 1, -1):
            sign = 0
            if numbers[i] > half * steps[i]:
                sign = 1
            elif numbers[i] < -half * steps[i]:
                sign = -1
            numbers[i] -= sign * steps[i]
            word = word * (2 * machines + 1) + sign + 1
        packed[k] = word


@compiled("void(i4[::1], f4[::1], i8, i8, f4[::1])")
def unpack_sums(packed: np.ndarray, steps: np.ndarray, machines: int, digits: int, sums: np.ndarray) -> None:
    """Make `sums` (S,) those of what so many machines have packed by `pack_signs`; `packed` is the sum of all."""
    for k in range(packed.size):
        word = np.int64(packed[k])
        for i in range(k * digits, min((k + 1) * digits, sums.size)):
            sums[i] = (word % (2 * machines + 1) - machines) * steps[i]
            word //= 2 * machines + 1


@compiled("void(f4[::1], f8[::1], f8, i8, f4[:,::1])")
def split_whole(vector: np.ndarray, units: np.ndarray, fractions: float, block: int, whole: np.ndarray) -> None:
    """Write numbers (S,) as multiples, (2, S), of their blocks' units, and of so many fractions of these."""
    for i in range(vector.size):
        scaled = vector[i] / units[i // block]
        whole[0, i] = np.rint(scaled)
        whole[1, i] = np.rint((scaled - np.rint(scaled)) * fractions)


@compiled("void(f4[:,::1], f8[::1], f8, i8, f4[::1])")
def join_whole(whole: np.ndarray, units: np.ndarray, fractions: float, block: int, vector: np.ndarray) -> None:
    """Undo `split_whole`."""
    for i in range(vector.size):
        vector[i] = (whole[0, i] + whole[1, i] / fractions) * units[i // block]
