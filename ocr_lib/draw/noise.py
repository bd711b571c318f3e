"""Compiled noise of captchas: what the `captcha` package has Pillow add to a text, in grey."""

import math

import numpy as np
from numba import types

from ocr_lib.compiled import below, compiled, inlined

_NUM_DOTS = 30
_ROUNDING = 1e-6
_SIGNATURE = types.void(
    types.float32[:, :, ::1],
    types.float64[:, :],
    types.int64[::1],
    types.float32[::1],
    types.int64[:, ::1],
    types.uint8[:, :, ::1],
)


@inlined
def _draw_dots(canvas, draws, at, dot, grey):
    height, width = canvas.shape
    for _ in range(_NUM_DOTS):
        x, y = below(draws, at, width + 1), below(draws, at, height + 1)
        for dx, dy in dot:
            if 0 <= x + dx < width and 0 <= y + dy < height:
                canvas[y + dy, x + dx] = grey


@inlined
def _draw_arc(canvas, draws, at, grey):
    """Draw the lower half of an ellipse, and at either end a bit less or more."""
    height, width = canvas.shape
    fifth_x, fifth_y = width // 5, height // 5
    x1 = below(draws, at, fifth_x + 1)
    x2 = below(draws, at, width - fifth_x + 1) + fifth_x
    y1 = below(draws, at, height - 2 * fifth_y + 1) + fifth_y
    y2 = below(draws, at, height - y1 - fifth_y + 1) + y1
    end = math.radians(below(draws, at, 41) + 160)
    start = math.radians(below(draws, at, 21))
    a, b = x2 - x1, y2 - y1
    cut_start = (b * b - a * a) * math.sin(2 * start) / 2 - _ROUNDING
    cut_end = (a * a - b * b) * math.sin(2 * end) / 2 - _ROUNDING
    # In half pixels from the centre, as pixels of an even-sized ellipse lie at odd distances from it.
    x, y = a, b % 2
    while True:
        for at_x, at_y in ((x, y), (-x, y), (-x, -y)):
            # Each end is cut along the normal of the ellipse there.
            started = b * math.cos(start) * at_y - a * math.sin(start) * at_x >= cut_start
            goes_on = a * math.sin(end) * at_x - b * math.cos(end) * at_y >= cut_end
            shown = started and (goes_on or end > math.pi) if at_y >= 0 else goes_on and end > math.pi
            column, row = x1 + (at_x + a) // 2, y1 + (at_y + b) // 2
            if shown and 0 <= column < width and 0 <= row < height:
                canvas[row, column] = grey
        if x == a % 2 and y == b:
            break
        # Of the three next pixels, the one nearest to the curve (Bresenham 1977).
        next_x, next_y, nearest = x, y + 2, _off_ellipse(a, b, x, y + 2)
        if x > 1:
            for to_x, to_y in ((x - 2, y + 2), (x - 2, y)):
                distance = _off_ellipse(a, b, to_x, to_y)
                if distance < nearest:
                    next_x, next_y, nearest = to_x, to_y, distance
        x, y = next_x, next_y


@inlined
def _off_ellipse(a, b, x, y):
    return abs(a * a * y * y + b * b * x * x - a * a * b * b)


@inlined
def _smooth(canvas, image):
    """Filter as ``ImageFilter.SMOOTH`` does, and round: every pixel but the outermost, itself counting five times."""
    height, width = canvas.shape
    sums, half, share = np.empty(width, np.float32), np.float32(0.5), np.float32(1 / 13)
    for y in range(height):
        middle, target = canvas[y], image[y]
        if 0 < y < height - 1:
            above, below = canvas[y - 1], canvas[y + 1]
            for x in range(width):
                sums[x] = above[x] + middle[x] + below[x]
            before, here, after, centre, inner = sums[:-2], sums[1:-1], sums[2:], middle[1:-1], target[1:-1]
            for x in range(width - 2):
                total = before[x] + here[x] + after[x] + np.float32(4) * centre[x]
                inner[x] = np.uint8(np.int32(total * share + half))
            for x in (0, width - 1):
                target[x] = np.uint8(np.int32(middle[x] + half))
        else:
            for x in range(width):
                target[x] = np.uint8(np.int32(middle[x] + half))


@compiled(_SIGNATURE)
def add_noise(canvases, draws, taken, inks, dot, images):
    """Draw dots and an arc on captchas, smooth and round them.

    Parameters
    ----------
    canvases : numpy.ndarray
        (N, H, W) float32, in grey; they are drawn on.
    draws : numpy.ndarray
        (N, D) float64, uniform in [0, 1): a row for each captcha, taken in the order in which the package draws.
    taken : numpy.ndarray
        (N,) int64, the numbers of draws taken before; they are counted on.
    inks : numpy.ndarray
        (N,) float32, the grey of each captcha's ink.
    dot : numpy.ndarray
        (P, 2) int64, the pixels of a dot as (x, y).
    images : numpy.ndarray
        (N, H, W) uint8, which receives the images.
    """
    for n in range(len(images)):
        at = taken[n : n + 1]
        _draw_dots(canvases[n], draws[n], at, dot, inks[n])
        _draw_arc(canvases[n], draws[n], at, inks[n])
        _smooth(canvases[n], images[n])
