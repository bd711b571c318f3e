"""A look at every sample of a data set, before anything is made of them."""

import hashlib
from functools import partial
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.images.contrast import contrast
from ocr_lib.images.ground import look_at_ground
from ocr_lib.images.pixels import Rendition
from ocr_lib.recipe.auto import Facts
from ocr_lib.sets.labelled import Dataset

FILES_PER_TASK = 64
_VISIBLE = 1.0  # a grey level


class Look(NamedTuple):
    """What is seen of one sample.

    Attributes
    ----------
    height, width : int
        Of the image, in pixels.
    digest : int
        Of its pixels, 64 bits: images that are the same have the same.
    grey, hidden : float
        Its contrast in grey, and what of it only colour shows; see `ocr_lib.images.contrast`.
    unevenness, top, bottom : float
        Of its ground; see `ocr_lib.images.ground`.
    """

    height: int
    width: int
    digest: int
    grey: float
    hidden: float
    unevenness: float
    top: float
    bottom: float


_TYPES = {"height": np.int32, "width": np.int32, "digest": np.uint64}
_COLUMNS = np.dtype([(name, _TYPES.get(name, np.float32)) for name in Look._fields])


class Survey(NamedTuple):
    """What is seen of samples of a data set.

    Attributes
    ----------
    dataset : Dataset
    indices : numpy.ndarray
        (N,) int64, the samples that can be read.
    columns : numpy.ndarray
        (N,), a record for each with the fields of `Look`.
    faults : list of str
        Of the samples that can't be read, a line each.
    """

    dataset: Dataset
    indices: np.ndarray
    columns: np.ndarray
    faults: List[str]

    def texts(self) -> List[str]:
        """Return what the samples say."""
        return self.dataset.texts(self.indices.tolist())

    def parted(self, is_in: np.ndarray) -> Tuple["Survey", "Survey"]:
        """Return what is seen of the samples of which that is true, with the faults, and of the others."""
        return (
            self._replace(indices=self.indices[is_in], columns=self.columns[is_in]),
            self._replace(indices=self.indices[~is_in], columns=self.columns[~is_in], faults=[]),
        )

    def facts(self) -> Facts:
        """Return what a recipe can be found from."""
        texts = self.texts()
        characters = "".join(sorted(set().union(*texts)))
        seen = {name: self.columns[name] for name in Look._fields if name in Facts._fields}
        heights, widths = self.columns["height"], self.columns["width"]
        lengths, words = (np.array(list(map(count, texts))) for count in (len, _count_words))
        return Facts(heights, widths, lengths, words, **seen, characters=characters)


def _count_words(text: str) -> int:
    return len(text.split())


class Surveyor:
    """The work of a worker process that looks at samples.

    Parameters
    ----------
    dataset : Dataset
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __call__(self, indices: Sequence[int]) -> List[Union[Look, str]]:
        """Return what is seen of each of these samples, or why it can't be read."""
        return [self._look(index) for index in indices]

    def _look(self, index: int) -> Union[Look, str]:
        try:
            image = self._dataset.read(index, Rendition(channels=3))
        except OCRError as error:
            return str(error)
        digest = hashlib.sha256(repr(image.shape).encode())  # which processors compute faster than others
        digest.update(image.tobytes())
        seen = contrast(image)
        if max(seen.grey, seen.hidden) < _VISIBLE:
            return f"{self._dataset.where(index)}: nothing is to be seen, all of the image is of one colour"
        number = int.from_bytes(digest.digest()[:8], "little")
        height, width = image.shape[:2]
        return Look(height, width, number, seen.grey, seen.hidden, *look_at_ground(image))


def survey(dataset: Dataset, indices: Sequence[int], num_workers: Optional[int] = None) -> Survey:
    """Look at samples of a data set.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
    num_workers : int, optional
        Processes that do it; as many as it takes if left out.
    """
    tasks = [indices[start : start + FILES_PER_TASK] for start in range(0, len(indices), FILES_PER_TASK)]
    readable: List[int] = []
    faults: List[str] = []
    columns = np.empty(len(indices), _COLUMNS)
    with OrderedPool(partial(Surveyor, dataset), num_workers, [Surveyor.__module__]) as pool:
        looks = (look for several in pool.map(tasks) for look in several)
        for index, look in zip(indices, looks):
            if isinstance(look, str):
                faults.append(look)
            else:
                columns[len(readable)] = look
                readable.append(index)
    return Survey(dataset, np.array(readable, np.int64), columns[: len(readable)], faults)
