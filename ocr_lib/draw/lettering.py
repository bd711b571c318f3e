"""Compiled lettering of captchas: what the `captcha` package has Pillow do with a text, in grey.

A character is one 8-bit plane of opacities on its way through rotation, resizing and warping, rounded wherever Pillow
rounds. Its colour is known from its opacity all the way: Pillow keeps colours multiplied by opacity, in 8 bits, so that
a faint pixel's colour is what rounding left of it. All else (blending, smoothing) is linear in the channels, so one
channel of grey, in floating point, stands for the three.
"""

import math
from typing import NamedTuple, Tuple

import numpy as np
from numba import from_dtype, types

from ocr_lib.compiled import below, compiled, fraction, inlined


def _record(*names: str) -> np.dtype:
    return np.dtype((np.record, np.dtype([(name, np.int64) for name in names], align=True)))


GLYPH = _record("width", "height", "left", "top", "rows", "columns", "start")
"""A character in a font: the box that the package reserves for it, where its bitmap lies in that box, and that bitmap's
size and place in the array of all bitmaps. All in pixels."""

_CHARACTER = _record("font", "code", "dx", "dy", "x1", "y1", "x2", "y2")


class Style(NamedTuple):
    """The parameters of ``captcha.image.ImageCaptcha``, under its names; a colour of -1 is drawn at random."""

    width: int
    height: int
    character_offset_dx: Tuple[int, int]
    character_offset_dy: Tuple[int, int]
    character_rotate: Tuple[float, float]
    character_warp_dx: Tuple[float, float]
    character_warp_dy: Tuple[float, float]
    word_space_probability: float
    word_offset_dx: float
    bg_color: Tuple[int, int, int]
    fg_color: Tuple[int, int, int, int]


_LEAST_SEEN = 128  # of mask times opacity, which are then divided by 255 and rounded
_INT, _FLOAT = types.int64, types.float64
_STYLE = types.NamedTuple(
    [
        *[_INT] * 2,
        *[types.UniTuple(_INT, 2)] * 2,
        *[types.UniTuple(_FLOAT, 2)] * 3,
        *[_FLOAT] * 2,
        types.UniTuple(_INT, 3),
        types.UniTuple(_INT, 4),
    ],
    Style,
)
_SIGNATURE = types.void(
    types.int64[:, ::1],
    types.float64[:, :],
    from_dtype(GLYPH)[:, ::1],
    types.uint8[::1],
    types.int64[::1],
    types.int64[:, ::1],
    _STYLE,
    types.float32[:, :, ::1],
    types.float32[::1],
    types.int64[::1],
)


def unpremultiplied() -> np.ndarray:
    """Tabulate what Pillow makes of a channel on its way to premultiplied alpha and back, (value, opacity)."""
    value, opacity = np.arange(256)[:, None], np.arange(256)
    product = value * opacity + 128
    kept = (product + (product >> 8)) >> 8
    return np.where(opacity > 0, np.minimum(255 * kept // np.maximum(opacity, 1), 255), 0).astype(np.int64)


@inlined
def _grey(red, green, blue):
    return np.float32(0.299 * red + 0.587 * green + 0.114 * blue)


@inlined
def _draw_colours(draws, at, style):
    """Return the grey of the paper, and the ink's (red, green, blue, opacity)."""
    paper = np.empty(3, np.int64)
    for i in range(3):
        paper[i] = style.bg_color[i] if style.bg_color[i] >= 0 else 238 + below(draws, at, 18)
    ink = np.empty(4, np.int64)
    ink[3] = 220 + below(draws, at, 36)
    for i in range(3):
        ink[i] = 10 + below(draws, at, 191)
    for i in range(4):
        ink[i] = style.fg_color[i] if style.fg_color[i] >= 0 else ink[i]
    return _grey(paper[0], paper[1], paper[2]), ink


@inlined
def _draw_characters(codes, draws, at, glyphs, style, characters, angles):
    """Fill in the characters of a text and the spaces between them; return how many, and their width together."""
    count = width = 0
    for code in codes:
        spaced = fraction(draws, at) > style.word_space_probability
        for k in range(0 if spaced else 1, 2):
            character = characters[count]
            character.font = below(draws, at, len(glyphs))
            character.code = code if k else 0
            box = glyphs[character.font, character.code]
            least, most = style.character_offset_dx
            character.dx = least + below(draws, at, most - least + 1)
            least, most = style.character_offset_dy
            character.dy = least + below(draws, at, most - least + 1)
            low, high = style.character_rotate
            angles[count] = low + fraction(draws, at) * (high - low)
            low, high = style.character_warp_dx
            dx = box.width * fraction(draws, at) * (high - low) + low
            low, high = style.character_warp_dy
            dy = box.height * fraction(draws, at) * (high - low) + low
            character.x1 = int(fraction(draws, at) * (dx + dx) - dx)
            character.y1 = int(fraction(draws, at) * (dy + dy) - dy)
            character.x2 = int(fraction(draws, at) * (dx + dx) - dx)
            character.y2 = int(fraction(draws, at) * (dy + dy) - dy)
            width += box.width
            count += 1
    return count, width


@inlined
def _visible(bitmap, opacity, left, top):
    """Cut a bitmap where it sticks out to the left or the top, and then the edges that are not seen."""
    bitmap = bitmap[max(0, -top) :, max(0, -left) :]
    rows, columns = bitmap.shape
    first_row, last_row, first_column, last_column = rows, 0, columns, 0
    for y in range(rows):
        for x in range(columns):
            if bitmap[y, x] * opacity >= _LEAST_SEEN:
                first_row, last_row = min(first_row, y), max(last_row, y + 1)
                first_column, last_column = min(first_column, x), max(last_column, x + 1)
    return bitmap[first_row:last_row, first_column:last_column]


@inlined
def _opacities(bitmap, opacity):
    """Return a glyph's opacities, (rows + 2, columns + 2), its edge repeated once around it."""
    rows, columns = bitmap.shape
    scale = np.float32(opacity / 255)
    plane = np.empty((rows + 2, columns + 2), np.float32)
    for y in range(rows + 2):
        source, target = bitmap[min(max(y - 1, 0), rows - 1)], plane[y, 1:]
        for x in range(columns):
            target[x] = np.float32(np.int32(source[x] * scale + np.float32(0.5)))
        plane[y, 0], plane[y, columns + 1] = target[0], target[columns - 1]
    return plane


@inlined
def _inside(start, step, size, count):
    """Return the range of i, out of 0 to `count`, in which start + i * step lies in [0, size)."""
    if step == 0:
        return (0, count) if 0 <= start < size else (0, 0)
    enter, leave = -start / step, (size - start) / step
    first, last = (np.ceil(enter), np.ceil(leave)) if step > 0 else (np.floor(leave) + 1, np.floor(enter) + 1)
    low = int(min(max(first, 0.0), float(count)))
    return low, max(int(min(max(last, 0.0), float(count))), low)


@inlined
def _rotated(plane, degrees):
    """Rotate as ``Image.rotate(degrees, BILINEAR, expand=True)`` does; return the columns, (W, H)."""
    rows, columns = plane.shape[0] - 2, plane.shape[1] - 2
    # Pillow rounds these, and so do we: 0 degrees must not widen the image.
    cos, sin = round(math.cos(math.radians(degrees)), 15), -round(math.sin(math.radians(degrees)), 15)
    reach_x = (abs(cos) * columns + abs(sin) * rows) / 2
    reach_y = (abs(sin) * columns + abs(cos) * rows) / 2
    width = int(math.ceil(columns / 2 + reach_x) - math.floor(columns / 2 - reach_x))
    height = int(math.ceil(rows / 2 + reach_y) - math.floor(rows / 2 - reach_y))
    if cos == 0:  # the one angle at which Pillow turns pixels, not coordinates
        width, height = rows, columns
    rotated = np.zeros((width, height), np.float32)
    flat, below, one = plane.ravel(), np.uint32(columns + 2), np.uint32(1)
    for x in range(width):
        # Where the centre of pixel (x, 0) comes from, in the glyph without the edge around it.
        from_x = columns / 2 + cos * (x + 0.5 - width / 2) + sin * (0.5 - height / 2)
        from_y = rows / 2 - sin * (x + 0.5 - width / 2) + cos * (0.5 - height / 2)
        first, last = _inside(from_x, sin, columns, height)
        first_y, last_y = _inside(from_y, cos, rows, height)
        first = max(first, first_y)
        target = rotated[x, first : max(first, min(last, last_y))]
        start_x, start_y = np.float32(from_x + sin * first + 0.5), np.float32(from_y + cos * first + 0.5)
        step_x, step_y = np.float32(sin), np.float32(cos)
        for y in range(len(target)):
            at_x, at_y = start_x + step_x * np.float32(y), start_y + step_y * np.float32(y)
            left, top = np.uint32(np.int32(at_x)), np.uint32(np.int32(at_y))
            dx, dy = at_x - np.float32(left), at_y - np.float32(top)
            i = top * below + left
            above = flat[i] + (flat[i + one] - flat[i]) * dx
            beneath = flat[i + below] + (flat[i + below + one] - flat[i + below]) * dx
            target[y] = np.float32(np.int32(above + (beneath - above) * dy))
    return rotated


@inlined
def _cubic(x):
    x = min(abs(x), np.float32(2))
    near = (np.float32(1.5) * x - np.float32(2.5)) * x * x + np.float32(1)
    far = ((np.float32(-0.5) * x + np.float32(2.5)) * x - np.float32(4)) * x + np.float32(2)
    return near if x < 1 else far


@inlined
def _resized(image, size):
    """Resize the first axis as Pillow's BICUBIC does (Keys 1981, a = -0.5, widened where it shrinks), to 8 bits."""
    count, across = image.shape
    scale = count / size
    stretch = max(scale, 1.0)
    weights = np.empty(2 * math.ceil(2 * stretch) + 1, np.float32)
    resized = np.empty((size, across), np.float32)
    for i in range(size):
        centre = (i + 0.5) * scale
        first = max(int(centre - 2 * stretch + 0.5), 0)
        taps = min(int(centre + 2 * stretch + 0.5), count) - first
        total = np.float32(0)
        for t in range(taps):
            weights[t] = _cubic(np.float32((first + t - centre + 0.5) / stretch))
            total += weights[t]
        target = resized[i]
        target[:] = 0.5
        for t in range(taps):
            weight, source = weights[t] / total, image[first + t]
            for x in range(across):
                target[x] += weight * source[x]
        for x in range(across):
            target[x] = np.float32(np.int32(min(max(target[x], np.float32(0)), np.float32(255))))
    return resized


@inlined
def _blends(ink, lookup, unpremultiplied):
    """Return, for each opacity, how much of the canvas a pixel keeps, and the grey that it adds."""
    reds, greens, blues = unpremultiplied[ink[0]], unpremultiplied[ink[1]], unpremultiplied[ink[2]]
    keep, add = np.empty(256, np.float32), np.empty(256, np.float32)
    for a in range(256):
        red, green, blue = reds[a], greens[a], blues[a]
        mask = np.float32(lookup[(red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16] / 255)
        keep[a], add[a] = 1 - mask, _grey(red, green, blue) * mask
    return keep, add


@inlined
def _paste_warped(canvas, plane, box, character, left, top, keep, add):
    """Blend a plane into a box of the canvas, warped as ``Image.transform(..., QUAD)`` does: by the nearest pixel."""
    rows, columns = plane.shape
    width, height = box.width, box.height
    x1, y1, x2, y2 = character.x1, character.y1, character.x2, character.y2
    # The plane's points that go to the box's corners: (x1, y1) to the upper left, and so on.
    lower_x, lower_y = -x1 - x1, rows - y2 - y1
    right_x, right_y = columns - x2 - x1, -y1 - y1
    twist_x, twist_y = columns + x2 - x1 - lower_x - right_x, rows + y2 - y1 - lower_y - right_y
    flat, below = plane.ravel(), np.uint32(columns)
    for y in range(max(0, -top), min(height, canvas.shape[0] - top)):
        v = (y + 0.5) / height
        step_x, step_y = (right_x + twist_x * v) / width, (right_y + twist_y * v) / width
        from_x, from_y = x1 + lower_x * v + step_x / 2, y1 + lower_y * v + step_y / 2
        first, last = _inside(from_x, step_x, columns, width)
        first_y, last_y = _inside(from_y, step_y, rows, width)
        first = max(first, first_y, -left)
        last = max(first, min(last, last_y, canvas.shape[1] - left))
        target = canvas[top + y, left + first : left + last]
        start_x, start_y = np.float32(from_x + step_x * first), np.float32(from_y + step_y * first)
        by_x, by_y = np.float32(step_x), np.float32(step_y)
        for x in range(last - first):
            # Rounding may carry a coordinate over the last pixel.
            at_x = np.uint32(min(np.int32(start_x + by_x * np.float32(x)), np.int32(columns - 1)))
            at_y = np.uint32(min(np.int32(start_y + by_y * np.float32(x)), np.int32(rows - 1)))
            opacity = np.uint8(flat[at_y * below + at_x])
            target[x] = target[x] * keep[opacity] + add[opacity]


@inlined
def _draw_text(codes, draws, at, glyphs, bitmaps, style, paper, opacity, keep, add, image):
    """Draw a text on an image (H, W); one that is wider is drawn at its own width, and then made narrower."""
    characters, angles = np.zeros(2 * len(codes), _CHARACTER), np.empty(2 * len(codes))
    count, text_width = _draw_characters(codes, draws, at, glyphs, style, characters, angles)
    canvas = image if text_width <= style.width else np.empty((style.height, text_width), np.float32)
    canvas[:] = paper
    average = int(text_width / len(codes))
    left = int(average * 0.1)
    for character, angle in zip(characters[:count], angles):
        box = glyphs[character.font, character.code]
        size = box.rows * box.columns
        bitmap = bitmaps[box.start : box.start + size].reshape(box.rows, box.columns)
        left_edge, top_edge = character.dx + box.left, character.dy + box.top
        if left_edge < 0 or top_edge < 0 or opacity < _LEAST_SEEN:
            bitmap = _visible(bitmap, opacity, left_edge, top_edge)
        if bitmap.size:
            columns = _rotated(_opacities(bitmap, opacity), angle)
            columns = _resized(columns, box.width + abs(character.x1) + abs(character.x2))
            plane = _resized(columns.T.copy(), box.height + abs(character.y1) + abs(character.y2))
            top = int((style.height - box.height) / 2)
            _paste_warped(canvas, plane, box, character, left, top, keep, add)
        left += box.width - below(draws, at, int(style.word_offset_dx * average) + 1)
    if text_width > style.width:
        image[:] = _resized(canvas.T.copy(), style.width).T


@compiled(_SIGNATURE)
def draw_texts(codes, draws, glyphs, bitmaps, lookup, unpremultiplied, style, canvases, inks, taken):
    """Draw texts on paper, in grey.

    Parameters
    ----------
    codes : numpy.ndarray
        (N, L) int64, each character's column of `glyphs`; -1 behind the end of a text. Column 0 is the space.
    draws : numpy.ndarray
        (N, D) float64, uniform in [0, 1): a row for each text, taken in the order in which the package draws.
    glyphs : numpy.ndarray
        (fonts, characters) of `GLYPH`.
    bitmaps : numpy.ndarray
        uint8, all bitmaps one after another.
    lookup : numpy.ndarray
        (256,) int64, the mask that a luminance makes.
    unpremultiplied : numpy.ndarray
        What the function of that name returns.
    style : Style
    canvases : numpy.ndarray
        (N, H, W) float32, which receives the images.
    inks : numpy.ndarray
        (N,) float32, which receives the greys of the inks.
    taken : numpy.ndarray
        (N,) int64, which receives the numbers of draws taken.
    """
    for n in range(len(canvases)):
        length = 0
        while length < codes.shape[1] and codes[n, length] >= 0:
            length += 1
        at = taken[n : n + 1]
        at[0] = 0
        paper, ink = _draw_colours(draws[n], at, style)
        keep, add = _blends(ink, lookup, unpremultiplied)
        text = codes[n, :length]
        _draw_text(text, draws[n], at, glyphs, bitmaps, style, paper, ink[3], keep, add, canvases[n])
        inks[n] = _grey(ink[0], ink[1], ink[2])
