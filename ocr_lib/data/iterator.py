"""`OCRIter`: batches of images and texts as an MXNet data iterator."""

import time
from typing import Iterable, Iterator, List

import numpy as np

from ocr_lib.data.source import Batch
from ocr_lib.image import normalise
from ocr_lib.mx import mx
from ocr_lib.recipe import Recipe


class TextBatch(mx.io.DataBatch):
    """A batch that knows what its images say.

    Attributes
    ----------
    texts : list of str
        Without those of rows that only pad.
    """

    texts: List[str]


class OCRIter(mx.io.DataIter):
    """Feeds batches to a Module.

    Data is ``data`` (N, T, F) float32, image columns as time steps; labels are ``label`` (N, L) float32, padded with 0,
    the blank.

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
        image, text = recipe.image, recipe.text
        self.provide_data = [mx.io.DataDesc("data", (self.batch_size, image.width, image.height), layout="NTC")]
        self.provide_label = [mx.io.DataDesc("label", (self.batch_size, text.max_length), layout="NT")]
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
        image = self._recipe.image
        data = normalise(batch.images, image.mean, image.scale)  # (N, T, F)
        alphabet = self._recipe.alphabet
        # Only texts that are validated on may have characters that the network can't learn.
        label = alphabet.encode_batch(list(map(alphabet.known, batch.texts)), self._recipe.text.max_length)  # (N, L)
        pad = self.batch_size - len(data) if self._pad else 0
        if pad:
            data, label = (np.concatenate([a, np.repeat(a[-1:], pad, axis=0)]) for a in (data, label))
        fed = TextBatch(
            [mx.nd.array(data)],
            [mx.nd.array(label)],
            pad=pad,
            provide_data=[mx.io.DataDesc("data", data.shape, layout="NTC")],
            provide_label=[mx.io.DataDesc("label", label.shape, layout="NT")],
        )
        fed.texts = batch.texts
        return fed


def epoch_ranges(epoch_size: int, batch_size: int, epoch: int = 0, done: int = 0) -> Iterator[range]:
    """Split the sample indices of an epoch into batches, the last of which may be incomplete, and leave `done` out."""
    for start in range(done * batch_size, epoch_size, batch_size):
        yield range(epoch * epoch_size + start, epoch * epoch_size + min(start + batch_size, epoch_size))


def endless_ranges(epoch_size: int, batch_size: int, epoch: int = 0, done: int = 0) -> Iterator[range]:
    """Yield sample indices batch by batch and epoch after epoch, from batch `done` of `epoch` on."""
    while True:
        yield from epoch_ranges(epoch_size, batch_size, epoch, done)
        epoch, done = epoch + 1, 0
