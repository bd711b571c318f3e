"""Training samples from data sets on disk, as pure functions of (split, seed, index)."""

import hashlib
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ocr_lib.data.labelled import Dataset
from ocr_lib.data.source import Batch, Task
from ocr_lib.errors import OCRError
from ocr_lib.recipe import Recipe
from ocr_lib.recognize.recognizer import Preparation

FILES_PER_TASK = 64


class Subset(NamedTuple):
    """Some samples of a data set.

    Attributes
    ----------
    dataset : Dataset
    indices : sequence of int
    """

    dataset: Dataset
    indices: Sequence[int]

    def texts(self) -> List[str]:
        """Return what the samples say."""
        return [self.dataset.item(index).text for index in self.indices]

    def digest(self) -> str:
        """Return the SHA-256 of names and texts."""
        items = (self.dataset.item(index) for index in self.indices)
        return hashlib.sha256("".join(f"{item.name}\t{item.text}\n" for item in items).encode()).hexdigest()


def hold_out(dataset: Dataset, share: float, seed: int) -> Tuple[Subset, Subset]:
    """Part a data set at random into a larger and a smaller part, which has `share` of it.

    Raises
    ------
    OCRError
        If that leaves one of them empty.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, 0])).permutation(len(dataset))
    count = round(share * len(dataset)) if 0 < share < 1 else 0
    if not 0 < count < len(dataset):
        raise OCRError(f"{share:g} of {len(dataset)} samples can't be held out: give --val-data, or more samples")
    return Subset(dataset, sorted(order[count:].tolist())), Subset(dataset, sorted(order[:count].tolist()))


class Inspector:
    """The work of a worker process that looks at samples before they are trained on.

    Parameters
    ----------
    dataset : Dataset
    time_steps : int
        Of the network's output.
    """

    def __init__(self, dataset: Dataset, time_steps: int) -> None:
        self._dataset = dataset
        self._time_steps = time_steps

    def __call__(self, indices: Sequence[int]) -> List[Optional[str]]:
        """Return what is wrong with each of these samples, or None."""
        return [self._fault(index) for index in indices]

    def _fault(self, index: int) -> Optional[str]:
        text = self._dataset.item(index).text
        needed = len(text) + sum(left == right for left, right in zip(text, text[1:]))
        if needed > self._time_steps:
            where = self._dataset.where(index)
            return f"{where}: {text!r} needs {needed} time steps, and the network gives {self._time_steps}"
        try:
            self._dataset.read(index)
        except OCRError as error:
            return str(error)
        return None


class DiskSource:
    """Samples from disk, by split and index.

    Parameters
    ----------
    recipe : Recipe
    train, validation : Subset
        The training samples come in another order in every epoch.
    """

    def __init__(self, recipe: Recipe, train: Subset, validation: Subset) -> None:
        self._seed = recipe.seed
        self._preparation = Preparation(recipe.image.size)
        self._subsets = {"train": train, "validation": validation}
        self._epoch = -1
        self._order: np.ndarray

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices, all of one epoch."""
        split, indices = task
        dataset, usable = self._subsets[split]
        places = self._places(split, indices, len(usable))
        images = np.stack([self._preparation.prepare(dataset.read(usable[place])) for place in places])
        return Batch(images, [dataset.item(usable[place]).text for place in places])

    def _places(self, split: str, indices: range, count: int) -> List[int]:
        epoch, start = divmod(indices.start, count)
        places = range(start, start + len(indices))
        if split != "train":
            return list(places)
        if epoch != self._epoch:
            self._epoch = epoch
            philox = np.random.Philox(key=[self._seed, 1 + epoch])
            self._order = np.random.Generator(philox).permutation(count)
        return self._order[places.start : places.stop].tolist()
