"""Networks in whole numbers as folders of C: the reader in ``deploy/c``, and the model that it reads with.

No MXNet needed.
"""

import zlib
from pathlib import Path
from typing import Dict, NamedTuple, Sequence

import numpy as np

from ocr_lib.deploy.c_model import CModel
from ocr_lib.fixed.network import IntegerNetwork
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.decode import best_path

MODEL = "model.bin"
"""The file with the network, of those in a folder."""

MAX_WIDTH = 2048
"""In pixels, of images that the folder's programs read, where the recipe fixes no width."""

_LANES, _ROWS = 16, 8  # OCR_LANES, OCR_ROWS
_SMALL_STEPS, _FAST_STEPS = 4, 32  # time steps that are computed at once
_CODE_BYTES = 18_000
_SOURCES = ("ocr_reader.h", "ocr_reader.c", "main.c", "selftest.c", "selftest.h", "Makefile", "README.md")


class Memory(NamedTuple):
    """Bytes that a reader takes, without its stack.

    Attributes
    ----------
    flash : int
        The model, and the code on a small processor, roughly.
    ram : int
        Where weights are unpacked as they are needed.
    fast_ram : int
        Where they are kept unpacked (OCR_FAST).
    """

    flash: int
    ram: int
    fast_ram: int


def model_bytes(network: IntegerNetwork, recipe: Recipe) -> bytes:
    """Return a network as the bytes of a model file.

    Raises
    ------
    OCRError
        If a size or a sum goes beyond what the C reader has room for.
    """
    return CModel(network, recipe).data


def memory_bytes(network: IntegerNetwork, recipe: Recipe, max_width: int = MAX_WIDTH) -> Memory:
    """Return how much memory the C reader of a network takes, for images of up to a width if it is free."""
    model = CModel(network, recipe)
    small, fast = (_ram(macros_of(model, network, recipe, max_width, is_fast)) for is_fast in (False, True))
    return Memory(len(model.data) + _CODE_BYTES, small, fast)


def c_files(
    network: IntegerNetwork, recipe: Recipe, images: Sequence[np.ndarray], max_width: int = MAX_WIDTH
) -> Dict[str, bytes]:
    """Return the files of a folder that ``make`` turns into a program which reads images.

    Parameters
    ----------
    network : IntegerNetwork
    recipe : Recipe
    images : sequence of numpy.ndarray
        Prepared ones, (H, W) uint8, for the self-test.
    max_width : int
        Of the images that are to be read, in pixels, where the recipe fixes none.

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    OCRError
        As `model_bytes` does.
    """
    model = CModel(network, recipe)
    folder = Path(__file__).parent / "c"
    files = {name: (folder / name).read_bytes() for name in _SOURCES}
    widest = max([max_width, *(image.shape[1] for image in images)])
    small, fast = (macros_of(model, network, recipe, widest, is_fast) for is_fast in (False, True))
    files[MODEL] = model.data
    files["model.h"] = _header(recipe, small, fast).encode()
    files["model.c"] = f'#include "model.h"\n\n{_array("ocr_model", model.data, "")}{_MODEL_SIZE}'.encode()
    files["golden.h"] = _golden(network, recipe, images).encode()
    return files


_MODEL_SIZE = "\nconst size_t ocr_model_size = sizeof ocr_model;\n"


def _up(n: int, unit: int = _LANES) -> int:
    return -(-n // unit) * unit


def macros_of(model: CModel, network: IntegerNetwork, recipe: Recipe, max_width: int, is_fast: bool) -> Dict[str, int]:
    """Return the macros that size a reader's memory, as `plan` in ocr_reader.c checks them.

    Where it `is_fast` all weights are kept unpacked.
    """
    width = recipe.image.width or max_width
    directions = [direction for layer in network.layers for direction in layer]
    hidden = directions[0].linear.weights[1].shape[1]
    gates = _up(4 * hidden, _ROWS)
    working, sums, weights, constants = _up(4 * hidden) + 2 * _up(hidden), 2 * gates, [], 0
    steps_at_once = _FAST_STEPS if is_fast else _SMALL_STEPS
    steps, rows, channels = width, recipe.image.height, 1
    inputs = []
    for convolution, shape in zip(network.convolutions, recipe.network.convolutions):
        (weight,) = convolution.linear.weights
        filters, stride = _up(len(weight), _ROWS), _up(weight[0].size)
        inputs.append(steps * (rows + 2 * convolution.margins[1]) * channels)
        steps, out_rows = (
            (size - lost) // pool for size, (lost, pool) in zip((steps, rows), map(shape.shrinkage, (0, 1)))
        )
        whole = out_rows * convolution.pool[1]
        lines = weight.shape[2] + convolution.pool[0] * steps_at_once - 1
        working = max(working, whole * weight.shape[3] * channels * lines + _LANES)
        sums = max(sums, (whole + out_rows) * filters)
        weights.append((filters, _ROWS, stride))
        constants += 3 * filters
        rows, channels = out_rows, len(weight)
    width_of_layers = hidden * (2 if len(network.layers[0]) == 2 and (not network.is_summed or model.is_doubled) else 1)
    strides = [_up(rows * channels), *[_up(width_of_layers)] * len(network.layers)]
    inputs += [steps * stride for stride in strides]
    for stride, layer in zip(strides, network.layers):
        weights += [(gates, _ROWS, stride), (gates, gates, _up(hidden))] * len(layer)
    classes = recipe.alphabet.num_classes
    weights.append((_up(classes, _ROWS), _ROWS, strides[-1]))
    pairs = max(_up(one) + _up(other) for one, other in zip(inputs, inputs[1:]))
    longest = max(len(character.encode()) for character in recipe.text.alphabet)
    return {
        "OCR_SUM_BITS": model.sum_bits,
        "OCR_MAX_WIDTH": width,
        "OCR_MAX_HEIGHT": recipe.image.height,
        "OCR_CONVOLUTIONS": max(len(network.convolutions), 1),
        "OCR_DIRECTIONS": len(directions),
        "OCR_STEPS": steps,
        "OCR_TEXT_BYTES": steps * longest + 1,
        "OCR_TABLE": len(directions[0].tables.tanh),
        "OCR_WEIGHTS": sum(n * s for n, _, s in weights) if is_fast else max(n * s for _, n, s in weights),
        "OCR_NUMBERS": _up(working) + pairs,
        "OCR_SUMS": max(sums, (min(steps, steps_at_once) + 1) * gates, _up(classes, _ROWS)),
        "OCR_CONSTANTS": constants + len(directions) * 4 * hidden + classes,
    }


def _ram(sizes: Dict[str, int]) -> int:
    """Return about how large a reader is, in bytes: its arrays, and what it knows of each layer."""
    numbers = 2 * (256 + 2 * sizes["OCR_TABLE"] + sizes["OCR_WEIGHTS"] + sizes["OCR_NUMBERS"] + sizes["OCR_STEPS"])
    sums = sizes["OCR_SUM_BITS"] // 8 * (sizes["OCR_SUMS"] + sizes["OCR_CONSTANTS"])
    layers = 100 * sizes["OCR_CONVOLUTIONS"] + 300 * sizes["OCR_DIRECTIONS"] + 300
    return numbers + sums + layers + sizes["OCR_TEXT_BYTES"]


def _header(recipe: Recipe, small: Dict[str, int], fast: Dict[str, int]) -> str:
    lines = ["/* What the network in model.c needs: ocr_reader.h tells what the macros mean. */"]
    lines += ["#ifndef OCR_MODEL_H", "#define OCR_MODEL_H", "", "#include <stddef.h>", "#include <stdint.h>", ""]
    for name, number in small.items():
        lines.append(f"#ifndef {name}")
        if number == fast[name]:
            lines.append(f"#define {name} {number}")
        else:
            lines += ["#ifdef OCR_FAST", f"#define {name} {fast[name]}", "#else", f"#define {name} {number}", "#endif"]
        lines.append("#endif")
    lines += ["", "extern const uint8_t ocr_model[];", "extern const size_t ocr_model_size;", "", "#endif", ""]
    return "\n".join(lines)


def _array(name: str, data: bytes, linkage: str) -> str:
    rows = (",".join(map(str, data[i : i + 32])) for i in range(0, len(data), 32))
    return f"{linkage}const uint8_t {name}[] = {{\n" + ",\n".join(rows) + "};\n"


def _golden(network: IntegerNetwork, recipe: Recipe, images: Sequence[np.ndarray]) -> str:
    """Return images with their texts and the checksums of their logits, in C."""
    parts, entries = [], []
    for i, image in enumerate(images):
        logits = network.logits(image[np.newaxis])
        (ids,) = best_path(logits)
        text = "".join(recipe.text.alphabet[each - 1] for each in ids).encode()
        literal = "".join(f"\\{byte:03o}" for byte in text)
        checksum = zlib.crc32(np.ascontiguousarray(logits[:, 0]).astype("<i8").tobytes())
        parts.append(_array(f"image_{i}", image.tobytes(), "static "))
        entries.append(f'    {{image_{i}, {image.shape[1]}, 0x{checksum:08X}u, "{literal}"}},\n')
    struct_ = (
        "static const struct {\n    const uint8_t *image;\n    uint32_t width, checksum;\n    const char *text;\n}"
    )
    return "".join(parts) + f"\n{struct_} golden[] = {{\n" + "".join(entries) + "};\n"
