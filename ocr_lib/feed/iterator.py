"""`OCRIter`: batches of images and texts as an MXNet data iterator."""

import sys
import time
from collections.abc import Sequence as SequenceABC
from itertools import cycle, islice
from typing import Callable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.source import Batch
from ocr_lib.geometry import least_size, shrunk
from ocr_lib.images.decode import normalise
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


_LEAST_STEP, _STEPS = 8, 64
_UNLIMITED = sys.maxsize

Batches = Union[Sequence[Batch], Callable[[int, int], Iterator[Batch]]]


class Feeder:
    """Makes MXNet's batches of ours.

    Parameters
    ----------
    recipe : Recipe
    least_rows : int
        As for `OCRIter`.
    """

    def __init__(self, recipe: Recipe, least_rows: int = 1) -> None:
        self.recipe = recipe
        self._least_rows = least_rows
        self._has_widths = recipe.image.width is None
        least = max(recipe.text.max_length, least_size(recipe.network.shrinkage(0)))
        self._full_width = recipe.image.width or _round_up(least)

    def fed(self, batch: Batch) -> TextBatch:
        """Return a batch as a Module takes it."""
        data = self._data(batch)  # (N, T, F)
        alphabet = self.recipe.alphabet
        # Only texts that are validated on may have characters that the network can't learn.
        label = alphabet.encode_batch(
            list(map(alphabet.known, batch.texts)), self._label_width(data.shape[1])
        )  # (N, L)
        arrays = [data, batch.widths, label] if self._has_widths else [data, label]
        pad = max(0, self._least_rows - len(data))
        if pad:
            arrays = [np.concatenate([a, np.repeat(a[-1:], pad, axis=0)]) for a in arrays]
        *inputs, labels = map(mx.nd.array, arrays)
        provide_data, provide_label = self.shapes(len(data) + pad, data.shape[1])
        fed = TextBatch(inputs, [labels], pad=pad, provide_data=provide_data, provide_label=provide_label)
        fed.texts = batch.texts
        fed.widths = batch.widths
        return fed

    def shapes(self, count: int, width: Optional[int] = None) -> Tuple[List["mx.io.DataDesc"], List["mx.io.DataDesc"]]:
        """Return names and shapes of inputs and labels: of images of the least width, where any will do."""
        width = width or self._full_width
        data = [mx.io.DataDesc("data", (count, width, self.recipe.image.column_size), layout="NTC")]
        if self._has_widths:
            data.append(mx.io.DataDesc("widths", (count,), layout="N"))
        return data, [mx.io.DataDesc("label", (count, self._label_width(width)), layout="NT")]

    def _data(self, batch: Batch) -> np.ndarray:
        image = self.recipe.image
        images = batch.images
        if self._has_widths:  # few different shapes are bound faster, and take less memory
            behind = _round_up(images.shape[2]) - images.shape[2]
            images = np.pad(images, [(0, 0), (0, 0), (0, behind)])
        return normalise(images, image.mean, image.scale, batch.widths)

    def _label_width(self, width: int) -> int:
        """Return L: MXNet's loss takes no more characters than time steps, and no label of the batch has more."""
        return min(self.recipe.text.max_length, shrunk(width, self.recipe.network.shrinkage(0)))


def _round_up(width: int) -> int:
    """Return a width of which there are few, larger by less than 8 pixels or a 32nd."""
    step = max(_LEAST_STEP, (1 << (width - 1).bit_length()) // _STEPS)
    return -(-width // step) * step


class OCRIter(mx.io.DataIter):
    """Feeds batches to a Module, as any of MXNet's own data iterators does.

    Data is ``data`` (N, T, F) float32, image columns as time steps (in colour a column's blue, then its green, then its
    red), and, if the recipe fixes no width, ``widths`` (N,) float32: T then differs from batch to batch. Labels are
    ``label`` (N, L) float32, padded with 0, the blank. The last batch of an epoch may have fewer rows, so that no
    sample counts twice.

    `provide_data` and `provide_label` describe the batch that was returned last, or before the first of an epoch a
    whole one.

    Parameters
    ----------
    batches : sequence of Batch, or callable
        A sequence is read anew in each epoch. A function of an epoch and the number of its batches that are done
        already returns an iterator over all batches from there on, which ends with the last epoch, if ever.
    recipe : Recipe
    batches_per_epoch : int, optional
        After this many `next` ends the epoch. Left out, a sequence has its own length, and a function's has no end.
    epoch, done : int
        Where to begin.
    least_rows : int
        A batch of fewer rows repeats its last one; `DataBatch.pad` counts these. A Module on several devices needs one
        row for each.

    Attributes
    ----------
    wait_s : float
        Seconds spent so far on waiting for batches.

    Raises
    ------
    OCRError
        If `batches` is an iterator, which could not begin a second epoch.
    """

    def __init__(
        self,
        batches: Batches,
        recipe: Recipe,
        batches_per_epoch: Optional[int] = None,
        epoch: int = 0,
        done: int = 0,
        least_rows: int = 1,
    ) -> None:
        super().__init__(recipe.training.batch_size)
        self._begin, self.batches_per_epoch = _source(batches, batches_per_epoch)
        self.recipe = recipe
        self._epoch, self._done = epoch, done
        self._feeder = Feeder(recipe, least_rows)
        self._source: Optional[Iterator[Batch]] = None
        self._current: Optional[TextBatch] = None
        self.wait_s = 0.0

    @property
    def provide_data(self) -> List["mx.io.DataDesc"]:
        """Names and shapes of the inputs."""
        return self._current.provide_data if self._current else self._feeder.shapes(self.batch_size)[0]

    @property
    def provide_label(self) -> List["mx.io.DataDesc"]:
        """Names and shapes of the labels."""
        return self._current.provide_label if self._current else self._feeder.shapes(self.batch_size)[1]

    def reset(self) -> None:
        """Begin the next epoch; at the very beginning of one there is nothing to do."""
        self._current = None
        if self._done == 0:
            return
        if self._done < self.batches_per_epoch:  # the source stands amidst an epoch that is given up
            self._source = None
        self._epoch, self._done = self._epoch + 1, 0

    def iter_next(self) -> bool:
        """Go to the next batch; return whether there is one in this epoch.

        Raises
        ------
        OCRError
            If the batches end before the epoch does. After any exception the same batch is tried again.
        """
        if self._done >= self.batches_per_epoch:
            return False
        try:
            self._current = self._feeder.fed(self._taken())
        except BaseException:
            self._source = None
            raise
        self._done += 1
        return True

    def next(self) -> TextBatch:
        """Return the next batch of the epoch."""
        if not self.iter_next():
            raise StopIteration
        return self._batch()

    def getdata(self) -> List["mx.nd.NDArray"]:
        """Return the inputs of the batch that `iter_next` went to."""
        return self._batch().data

    def getlabel(self) -> List["mx.nd.NDArray"]:
        """Return its labels."""
        return self._batch().label

    def getpad(self) -> int:
        """Return how many of its rows only pad."""
        return self._batch().pad

    def getindex(self) -> None:
        """Return nothing: samples have no index that MXNet could make use of."""

    def _batch(self) -> TextBatch:
        if self._current is None:
            raise OCRError("there is no batch yet: call iter_next() or next() first")
        return self._current

    def _taken(self) -> Batch:
        if self._source is None:
            self._source = self._begin(self._epoch, self._done)
        began = time.perf_counter()
        batch = next(self._source, None)
        self.wait_s += time.perf_counter() - began
        if batch is None:
            raise OCRError(f"the batches end after {self._done} of the {self.batches_per_epoch} of epoch {self._epoch}")
        return batch


def _source(batches: Batches, per_epoch: Optional[int]) -> Tuple[Callable[[int, int], Iterator[Batch]], int]:
    """Return what begins with any batch of any epoch, and how many batches an epoch has."""
    if callable(batches):
        return batches, _UNLIMITED if per_epoch is None else per_epoch
    if isinstance(batches, SequenceABC):
        fixed, count = batches, len(batches) if per_epoch is None else per_epoch
        return lambda epoch, done: _same_epochs(fixed, count, done), count
    raise OCRError(
        f"OCRIter takes a list of batches, or a function of (epoch, batches done) that begins with any: a "
        f"{type(batches).__name__} can't begin a second epoch"
    )


def _same_epochs(batches: Sequence[Batch], per_epoch: int, done: int) -> Iterator[Batch]:
    """Yield epochs that all begin with the first batch; the one under way goes on behind those that are done."""
    while batches:
        yield from islice(cycle(batches), done, per_epoch)
        done = 0
