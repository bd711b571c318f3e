"""Training samples from data sets on disk, as pure functions of (split, seed, index)."""

import hashlib
from typing import List, NamedTuple, Sequence, Tuple, Union

import numpy as np
from msgspec.structs import replace

from ocr_lib.errors import OCRError, naming
from ocr_lib.feed.augment import augment
from ocr_lib.feed.source import Batch, Task
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe.augmentation import AugmentationRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.ctc import required_steps
from ocr_lib.sets.labelled import Dataset

FILES_PER_TASK = 64
# Random numbers are Philox's, whose keys are (seed, what for): 1 + epoch for the order of an epoch's samples.
_HOLDING_OUT = 0
_AUGMENTATION = 2**63
_BATCHES_SORTED = 8


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
        return [self.dataset.item(index).text for index in self.indices]

    def digest(self) -> str:
        """Return the SHA-256 of names and texts."""
        items = (self.dataset.item(index) for index in self.indices)
        return hashlib.sha256("".join(f"{item.name}\t{item.text}\n" for item in items).encode()).hexdigest()


def hold_out(count: int, share: float, seed: int) -> Tuple[List[int], List[int]]:
    """Part so many samples at random into a larger and a smaller part, which has `share` of them.

    Raises
    ------
    OCRError
        If that leaves one of them empty.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, _HOLDING_OUT])).permutation(count)
    held = round(share * count) if 0 < share < 1 else 0
    if not 0 < held < count:
        raise OCRError(f"{share:g} of {count} samples can't be held out: give --val-data, or more samples")
    return sorted(order[held:].tolist()), sorted(order[:held].tolist())


class Inspector:
    """The work of a worker process that looks at samples before they are trained on.

    Parameters
    ----------
    dataset : Dataset
    preparation : Preparation
    """

    def __init__(self, dataset: Dataset, preparation: Preparation) -> None:
        self._dataset = dataset
        self._preparation = preparation

    def __call__(self, indices: Sequence[int]) -> List[Union[int, str]]:
        """Return how wide the network will read each of these samples, or what is wrong with it."""
        return [self._look(index) for index in indices]

    def _look(self, index: int) -> Union[int, str]:
        text = self._dataset.item(index).text
        try:
            image = self._dataset.read(index)
            with naming(self._dataset.where(index)):
                width = self._preparation.width_of(image)
                needed, steps = required_steps(text), self._preparation.steps(width)
                if needed > steps:
                    raise OCRError(f"{text!r} needs {needed} time steps, and the network gives {steps}")
        except OCRError as error:
            return str(error)
        return width


class DiskSource:
    """Samples from disk, by split and index.

    Training samples come in another order in every epoch, and where widths differ those of a batch are alike.

    Parameters
    ----------
    recipe : Recipe
    train, validation : Subset
    """

    def __init__(self, recipe: Recipe, train: Subset, validation: Subset) -> None:
        self._recipe = recipe
        self._preparation = Preparation.of(recipe)
        self._subsets = {"train": train, "validation": validation}
        self._without_scale = replace(recipe.augmentation, scale=0.0)
        self._validation_order = np.argsort(validation.widths, kind="stable")
        self._epoch = -1
        self._order: np.ndarray

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices, all of one epoch."""
        split, indices = task
        subset = self._subsets[split]
        epoch, start = divmod(indices.start, len(subset.indices))
        places = self._train_order(epoch) if split == "train" else self._validation_order
        images, texts = [], []
        for sample, place in zip(indices, places[start : start + len(indices)].tolist()):
            index = subset.indices[place]
            texts.append(subset.dataset.item(index).text)
            image = self._preparation.prepare(subset.dataset.read(index))
            images.append(self._augmented(image, texts[-1], sample) if split == "train" else image)
        padded, widths = pad(images)
        return Batch(padded, texts, widths)

    def _train_order(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            training = self._recipe.training
            widths = self._subsets["train"].widths
            if epoch < training.sorted_epochs:
                self._order = np.argsort(widths, kind="stable")
            else:
                philox = np.random.Philox(key=[self._recipe.seed, 1 + epoch])
                self._order = batch_order(widths, training.batch_size, np.random.Generator(philox))
            self._epoch = epoch
        return self._order

    def _augmented(self, image: np.ndarray, text: str, sample: int) -> np.ndarray:
        recipe = self._recipe
        if recipe.augmentation == AugmentationRecipe():
            return image
        # Philox counts blocks of numbers: each sample has 2**64 of them for itself.
        philox = np.random.Philox(key=[recipe.seed, _AUGMENTATION], counter=[0, sample, 0, 0])
        state = philox.state
        changed = augment(image, recipe.augmentation, np.random.Generator(philox))
        if recipe.image.width is not None:
            return self._preparation.resized(changed)
        if required_steps(text) > self._preparation.steps(changed.shape[1]):  # squeezed too much
            philox.state = state
            changed = augment(image, self._without_scale, np.random.Generator(philox))
        return changed


def batch_order(widths: np.ndarray, batch_size: int, generator: np.random.Generator) -> np.ndarray:
    """Return a random order of samples in which each batch has like widths; an incomplete batch comes last.

    Parameters
    ----------
    widths : numpy.ndarray
        (N,) int.
    batch_size : int
    generator : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        (N,) int, a permutation.
    """
    order = generator.permutation(len(widths))
    if len(np.unique(widths)) == 1:
        return order
    whole = len(order) // batch_size * batch_size
    window = batch_size * _BATCHES_SORTED
    for start in range(0, whole, window):
        part = order[start : min(start + window, whole)]
        part[:] = part[np.argsort(widths[part], kind="stable")]
    batches = generator.permutation(order[:whole].reshape(-1, batch_size))
    return np.concatenate([batches.ravel(), order[whole:]])
