"""A picture of readings: each image over the network's class probabilities at every time step."""

import warnings
from pathlib import Path
from typing import Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.files import atomic_path
from ocr_lib.recognize.reading import Reading

_COLUMNS = 4


def plot_readings(pictures: Sequence[Tuple[np.ndarray, Reading]], alphabet: Alphabet, path: Path) -> None:
    """Draw readings as a PNG.

    Parameters
    ----------
    pictures : sequence of (numpy.ndarray, Reading)
        Images, (H, W) or in OpenCV's order of colours (H, W, 3), uint8, as they were read.

    Raises
    ------
    OCRError
        If there are none.
    """
    if not pictures:
        raise OCRError("--plot: no image could be read, so there is nothing to draw")
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(3.2 * columns, 3.0 * rows), layout="constrained")
    cells = figure.subplots(2 * rows, columns, squeeze=False, gridspec_kw={"height_ratios": [2, 3] * rows})
    for axis in cells.flat:
        axis.set_axis_off()
    # Texts may have dollar signs, which are no mathematics here, and characters that the picture's font lacks.
    plain = {"parse_math": False}
    names = ["–", *alphabet.characters]
    for index, (image, reading) in enumerate(pictures):
        picture, steps = cells[2 * (index // columns) : 2 * (index // columns) + 2, index % columns]
        picture.imshow(image if image.ndim == 2 else image[..., ::-1], cmap="gray", vmin=0, vmax=255, aspect="auto")
        title = f"{reading.text or '(nothing)'}   {reading.confidence:.3f}"
        picture.set_title(title, fontsize=11, **plain)
        steps.set_axis_on()
        steps.imshow(reading.probabilities.T, cmap="viridis", vmin=0, vmax=1, aspect="auto", origin="lower")
        steps.set_xticks([])
        if len(names) <= 16:
            steps.set_yticks(range(len(names)), names, fontsize=6, **plain)
    figure.supxlabel("time step", fontsize=9)
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from ")
        figure.savefig(temporary, format="png", dpi=100)
