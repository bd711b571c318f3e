"""A fixed number of samples to calibrate a model with, or to compare models on."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from ocr_lib.data.fonts import find_fonts
from ocr_lib.data.lists import rows
from ocr_lib.data.readers import LABELS
from ocr_lib.data.source import CaptchaSource
from ocr_lib.errors import OCRError
from ocr_lib.image import image_files, read_image
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe import Recipe

_TURNS = ("validation", "test")


class Samples(NamedTuple):
    """Images, with their texts if these are known.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W) uint8, as the network reads them.
    texts : list of str, optional
    widths : numpy.ndarray
        (N,) int, without padding.
    """

    images: np.ndarray
    texts: Optional[List[str]]
    widths: np.ndarray


def load_samples(path: Path, recipe: Recipe, preparation: Preparation, split: str, count: int) -> Samples:
    """Render samples in fonts, or read those of a folder of images.

    Parameters
    ----------
    path : pathlib.Path
        A font, a folder of fonts, or a folder of images. Texts are taken from ``labels.tsv`` beside the images, as
        ``captcha_generator.py`` writes it, if it names all of them.
    recipe : Recipe
        Says what captchas to render.
    preparation : Preparation
        Brings images that are read to the network's size.
    split : {"validation", "test"}
        Different ones have no sample in common: of a folder's images each has every other.
    count : int
        How many; of a folder's images there may be fewer.

    Raises
    ------
    OCRError
        If there are none, or one can't be read.
    """
    if count < 1:
        raise OCRError(f"{count} samples are too few: at least 1 is needed")
    files = image_files(path) if path.is_dir() else []
    if not files:
        try:
            fonts = find_fonts(path, recipe.text.alphabet, recipe.captcha.font_sizes)
        except OCRError as error:
            raise OCRError(f"{error}; --samples takes fonts, or a folder of images") from error
        source = CaptchaSource(recipe, fonts)
        return Samples(*source((split, range(count))))
    files = files[_TURNS.index(split) :: len(_TURNS)][:count]
    if not files:
        raise OCRError(f"{path} has one image only, and there must be others to compare the models on")
    labels = _labels(path / LABELS[0])
    texts = [labels[file.name] for file in files] if all(file.name in labels for file in files) else None
    images, widths = pad([preparation.prepare(read_image(file)) for file in files])
    return Samples(images, texts, widths)


def _labels(path: Path) -> Dict[str, str]:
    labels = {}
    for row in rows(path) if path.exists() else ():
        if row.fault:
            raise OCRError(f"{path} can't be read: line {row.line}: {row.fault}")
        labels[row.name] = row.text
    return labels
