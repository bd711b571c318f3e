"""Training samples from data sets on disk, as pure functions of (split, seed, index)."""

import hashlib
from typing import List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.feed.augment import augment
from ocr_lib.feed.order import EpochOrder, validation_order
from ocr_lib.feed.source import Batch, Task
from ocr_lib.feed.survey import Survey
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe.augmentation import AugmentationRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.ctc import required_steps
from ocr_lib.sets.labelled import Dataset

# Random numbers are Philox's, whose keys are (seed, what for); see `ocr_lib.feed.order` too.
_HOLDING_OUT = 0
_AUGMENTATION = 2**63


class Subset(NamedTuple):
    """Samples of a data set that can be used.

    Attributes
    ----------
    dataset : Dataset
    indices : sequence of int
    widths : numpy.ndarray
        (N,) int32, of the images as the network reads them, in pixels.
    """

    dataset: Dataset
    indices: Sequence[int]
    widths: np.ndarray

    def texts(self) -> List[str]:
        """Return what the samples say."""
        return self.dataset.texts(self.indices)

    def digest(self) -> str:
        """Return the SHA-256 of names and texts."""
        items = (self.dataset.item(index) for index in self.indices)
        return hashlib.sha256("".join(f"{item.name}\t{item.text}\n" for item in items).encode()).hexdigest()


def hold_out(count: int, share: float, seed: int, least: int = 1) -> Tuple[List[int], List[int]]:
    """Part so many samples at random into a larger and a smaller part, which has `share` of them.

    Raises
    ------
    OCRError
        If that leaves the larger part empty, or fewer than `least` for the smaller one.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, _HOLDING_OUT])).permutation(count)
    held = round(share * count) if 0 < share < 1 else 0
    if not least <= held < count:
        raise OCRError(f"{share:g} of {count} samples can't be held out: give --val-data, or more samples")
    return sorted(order[held:].tolist()), sorted(order[:held].tolist())


def fitting(seen: Survey, preparation: Preparation) -> Tuple[Subset, List[str]]:
    """Return the samples whose texts a network has time steps enough for, and what is wrong with each of the others."""
    shapes = zip(seen.columns["height"].tolist(), seen.columns["width"].tolist())
    indices, widths, faults = [], [], []
    for index, shape in zip(seen.indices.tolist(), shapes):
        width = _fitting_width(seen.dataset, index, shape, preparation)
        if isinstance(width, str):
            faults.append(width)
        else:
            indices.append(index)
            widths.append(width)
    return Subset(seen.dataset, indices, np.array(widths, np.int32)), faults


def _fitting_width(dataset: Dataset, index: int, shape: Tuple[int, int], preparation: Preparation) -> Union[int, str]:
    """Return how wide a sample is to the network, or why it does not fit."""
    text = dataset.item(index).text
    try:
        with naming(dataset.where(index)):
            width = preparation.width_at(*shape)
            needed, steps = required_steps(text), preparation.steps(width)
            if needed > steps:
                height, length = preparation.line_shape(*shape)
                hint = ": image.rotate=90 makes text that runs down a line" if height > length else ""
                raise OCRError(f"{text!r} needs {needed} time steps, and the network gives {steps}{hint}")
    except OCRError as error:
        return str(error)
    return width


class DiskSource:
    """Samples from disk, by split and index.

    Training samples come in the order that `EpochOrder` gives each epoch, those to validate on from narrow to wide.

    Parameters
    ----------
    recipe : Recipe
    train, validation : Subset
    """

    def __init__(self, recipe: Recipe, train: Subset, validation: Subset) -> None:
        self._recipe = recipe
        self._preparation = Preparation.of(recipe)
        self._train, self._validation = train, validation
        self._epochs = EpochOrder(recipe, train.widths)
        self._validation_order = validation_order(validation.widths)

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices, all of one epoch."""
        split, indices = task
        return self._training(indices) if split == "train" else self._validating(indices)

    def as_trained(self, place: int, epochs: int) -> List[np.ndarray]:
        """Return a training sample as it is, and then as each of the first epochs has it."""
        image, text = self._sample(self._train, place)
        return [image, *(self._augmented(image, text, number, place) for number in range(epochs))]

    def _training(self, indices: range) -> Batch:
        number, start = divmod(indices.start, len(self._train.indices))
        images, texts = [], []
        for place in self._epochs(number).order[start : start + len(indices)].tolist():
            image, text = self._sample(self._train, place)
            images.append(self._augmented(image, text, number, place))
            texts.append(text)
        return _batch(images, texts)

    def _validating(self, indices: range) -> Batch:
        places = self._validation_order[indices.start : indices.stop].tolist()
        images, texts = zip(*(self._sample(self._validation, place) for place in places))
        return _batch(images, list(texts))

    def _sample(self, subset: Subset, place: int) -> Tuple[np.ndarray, str]:
        index = subset.indices[place]
        image = subset.dataset.read(index, self._preparation.rendition)
        return self._preparation.prepare(image), subset.dataset.item(index).text

    def _augmented(self, image: np.ndarray, text: str, epoch: int, place: int) -> np.ndarray:
        recipe = self._recipe
        if recipe.augmentation == AugmentationRecipe():
            return image
        sample = epoch * len(self._train.indices) + place
        stretch = float(self._epochs(epoch).stretches[place])
        # Philox counts blocks of numbers: each sample has 2**64 of them for itself.
        philox = np.random.Philox(key=[recipe.seed, _AUGMENTATION], counter=[0, sample, 0, 0])
        if recipe.image.width is None:
            steps = self._preparation.steps(round(image.shape[1] * stretch))
            if required_steps(text) > steps:  # squeezed too much
                stretch = 1.0
        changed = augment(image, recipe.augmentation, np.random.Generator(philox), stretch)
        return changed if recipe.image.width is None else self._preparation.resized(changed)


def _batch(images: Sequence[np.ndarray], texts: List[str]) -> Batch:
    padded, widths = pad(images)
    return Batch(padded, texts, widths)
