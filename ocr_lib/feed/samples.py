"""A fixed number of samples to calibrate a model with, or to compare models on."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.draw.fonts import SUFFIXES
from ocr_lib.errors import OCRError
from ocr_lib.feed.plan import plan_fonts
from ocr_lib.images.decode import image_files, read_image
from ocr_lib.images.pixels import Rendition
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.sets.dataset import find_format, open_dataset
from ocr_lib.sets.labelled import rewritten
from ocr_lib.writing import Writing

_TURNS = ("validation", "test")


class Samples(NamedTuple):
    """Images, with their texts if these are known.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W) uint8, as the network reads them; or (N, 3 H, W), see `ocr_lib.preparation.pad`.
    texts : list of str, optional
    widths : numpy.ndarray
        (N,) int, without padding.
    """

    images: np.ndarray
    texts: Optional[List[str]]
    widths: np.ndarray


def load_samples(path: Path, recipe: Recipe, preparation: Preparation, split: str, count: int) -> Samples:
    """Render samples in fonts, or read those of a folder of images or of a data set.

    Parameters
    ----------
    path : pathlib.Path
        A font, a folder of fonts, a folder of images, or a data set as `open_dataset` takes it. A folder's texts are
        taken from a list beside the images if it has all of them, and not from their names.
    recipe : Recipe
        Says what to render: captchas, or words and lines.
    preparation : Preparation
        Brings images that are read to the network's size.
    split : {"validation", "test"}
        Different ones have no sample in common: of images that are read each has every other.
    count : int
        How many; of images that are read there may be fewer.

    Raises
    ------
    OCRError
        If there are none, or one can't be read.
    """
    if count < 1:
        raise OCRError(f"{count} samples are too few: at least 1 is needed")
    name = _format(path)
    if name is None:
        try:
            source = plan_fonts(recipe, path).make_source()
        except OCRError as error:
            raise OCRError(f"{error}; --samples takes fonts, a folder of images, or a data set") from error
        return Samples(*source((split, range(count))))
    turn = slice(_TURNS.index(split), None, len(_TURNS))
    rendition = preparation.rendition
    if path.is_dir() and name in ("names", "labels") and image_files(path):
        images, texts = _folder(path, name, recipe.text.writing, rendition, turn, count)
    else:
        dataset = rewritten(open_dataset(path, name), recipe.text.writing)
        indices = range(len(dataset))[turn][:count]
        images, texts = [dataset.read(i, rendition) for i in indices], [dataset.item(i).text for i in indices]
    if not images:
        raise OCRError(f"{path} has one image only, and there must be others to compare the models on")
    padded, widths = pad([preparation.prepare(image) for image in images])
    return Samples(padded, texts, widths)


def _format(path: Path) -> Optional[str]:
    """Return the format of a data set, or None for what is none."""
    if path.suffix.lower() in SUFFIXES:
        return None
    try:
        return find_format(path)
    except OCRError:
        return None


def _folder(
    path: Path, name: str, writing: Writing, rendition: Rendition, turn: slice, count: int
) -> Tuple[List[np.ndarray], Optional[List[str]]]:
    """Read images of a folder, labelled or not; their names need not be their texts."""
    files = image_files(path)[turn][:count]
    labels: Dict[str, str] = {}
    if name != "names":
        dataset = rewritten(open_dataset(path, name, max_problems=1), writing)
        labels.update(dataset.item(index) for index in range(len(dataset)))
    texts = [labels[file.name] for file in files] if all(file.name in labels for file in files) else None
    return [read_image(file, rendition) for file in files], texts
