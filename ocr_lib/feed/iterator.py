"""`OCRIter`: batches of images and texts as an MXNet data iterator."""

import time
from typing import Iterable, Iterator, List, Tuple

import numpy as np

from ocr_lib.feed.source import Batch
from ocr_lib.geometry import least_size, shrunk
from ocr_lib.image import normalise
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe


class TextBatch(mx.io.DataBatch):
    """A batch that knows what its images say.

    Attributes
    ----------
    texts : list of str
        Without those of rows that only pad.
    widths : numpy.ndarray
        Likewise (N,), of the images in pixels.
    """

    texts: List[str]
    widths: np.ndarray


_ROUND_TO = 32


class OCRIter(mx.io.DataIter):
    """Feeds batches to a Module.

    Data is ``data`` (N, T, F) float32, image columns as time steps, and, if the recipe fixes no width, ``widths`` (N,)
    float32: T then differs from batch to batch. Labels are ``label`` (N, L) float32, padded with 0, the blank.

    Parameters
    ----------
    batches : iterable of Batch
        Where they come from. An iterator goes on from epoch to epoch; a list is read anew in each.
    recipe : Recipe
    batches_per_epoch : int
        After this many ``next()`` ends the epoch.
    pad : bool
        Fill an incomplete batch up to the batch size, with rows that ``DataBatch.pad`` counts. Otherwise it is handed
        over as it is, with fewer rows: so trained on, no sample counts twice.

    Attributes
    ----------
    wait_s : float
        Seconds spent so far on waiting for batches.
    """

    def __init__(self, batches: Iterable[Batch], recipe: Recipe, batches_per_epoch: int, pad: bool = False) -> None:
        super().__init__(recipe.training.batch_size)
        self._batches = batches
        self._recipe = recipe
        self.batches_per_epoch = batches_per_epoch
        self._pad = pad
        self.wait_s = 0.0
        self._has_widths = recipe.image.width is None
        least = max(recipe.text.max_length, least_size(recipe.network.shrinkage(0)))
        width = recipe.image.width or -(-least // _ROUND_TO) * _ROUND_TO
        self.provide_data, self.provide_label = self._shapes(self.batch_size, width)
        self.reset()

    def reset(self, done: int = 0) -> None:
        """Begin an epoch, of which `done` batches are taken as read."""
        self._left = self.batches_per_epoch - done
        self._source: Iterator[Batch] = iter(self._batches)

    def next(self) -> TextBatch:
        """Return the next batch of the epoch."""
        if not self._left:
            raise StopIteration
        self._left -= 1
        began = time.perf_counter()
        batch = next(self._source)
        self.wait_s += time.perf_counter() - began
        data = self._data(batch)  # (N, T, F)
        alphabet = self._recipe.alphabet
        # Only texts that are validated on may have characters that the network can't learn.
        label = alphabet.encode_batch(
            list(map(alphabet.known, batch.texts)), self._label_width(data.shape[1])
        )  # (N, L)
        arrays = [data, batch.widths, label] if self._has_widths else [data, label]
        pad = self.batch_size - len(data) if self._pad else 0
        if pad:
            arrays = [np.concatenate([a, np.repeat(a[-1:], pad, axis=0)]) for a in arrays]
        *inputs, labels = map(mx.nd.array, arrays)
        provide_data, provide_label = self._shapes(len(data) + pad, data.shape[1])
        fed = TextBatch(inputs, [labels], pad=pad, provide_data=provide_data, provide_label=provide_label)
        fed.texts = batch.texts
        fed.widths = batch.widths
        return fed

    def _data(self, batch: Batch) -> np.ndarray:
        image = self._recipe.image
        images = batch.images
        if self._has_widths:  # few different shapes are bound faster, and take less memory
            behind = -images.shape[2] % _ROUND_TO
            images = np.pad(images, [(0, 0), (0, 0), (0, behind)])
        return normalise(images, image.mean, image.scale, batch.widths)

    def _shapes(self, count: int, width: int) -> Tuple[List["mx.io.DataDesc"], List["mx.io.DataDesc"]]:
        data = [mx.io.DataDesc("data", (count, width, self._recipe.image.height), layout="NTC")]
        if self._has_widths:
            data.append(mx.io.DataDesc("widths", (count,), layout="N"))
        return data, [mx.io.DataDesc("label", (count, self._label_width(width)), layout="NT")]

    def _label_width(self, width: int) -> int:
        """Return L: MXNet's loss takes no more characters than time steps, and no label of the batch has more."""
        return min(self._recipe.text.max_length, shrunk(width, self._recipe.network.shrinkage(0)))


def epoch_ranges(epoch_size: int, batch_size: int, epoch: int = 0, done: int = 0) -> Iterator[range]:
    """Split the sample indices of an epoch into batches, the last of which may be incomplete, and leave `done` out."""
    for start in range(done * batch_size, epoch_size, batch_size):
        yield range(epoch * epoch_size + start, epoch * epoch_size + min(start + batch_size, epoch_size))


def endless_ranges(epoch_size: int, batch_size: int, epoch: int = 0, done: int = 0) -> Iterator[range]:
    """Yield sample indices batch by batch and epoch after epoch, from batch `done` of `epoch` on."""
    while True:
        yield from epoch_ranges(epoch_size, batch_size, epoch, done)
        epoch, done = epoch + 1, 0
