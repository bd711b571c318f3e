"""Which samples make which batch of an epoch, and which part of it."""

from dataclasses import dataclass
from typing import Callable, Dict, Generic, Iterator, List, NamedTuple, TypeVar

import numpy as np

from ocr_lib.feed.source import Batch

Samples = TypeVar("Samples", range, Batch)

Bounds = Callable[[int], np.ndarray]
"""Of an epoch, (B, P + 1) int: where the parts of its batches begin and end, counted from its first sample."""


class Share(NamedTuple):
    """The parts of every batch that one machine computes, of several that share them.

    Attributes
    ----------
    rank, size : int
        Which machine, and of how many.
    """

    rank: int = 0
    size: int = 1

    def of(self, count: int) -> range:
        """Return which of `count` things are this machine's."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)


EVERYTHING = Share()


@dataclass(frozen=True)
class Portion(Generic[Samples]):
    """What there is to compute of a batch.

    Attributes
    ----------
    samples : int
        Of the whole batch, on all machines.
    parts : dict
        By the number of each part its samples, or their indices; parts without any are left out.
    """

    samples: int
    parts: Dict[int, Samples]


PartedBatch = Portion[Batch]


def even_bounds(epoch_size: int, batch_size: int, parts: int) -> np.ndarray:
    """Cut an epoch into batches of one size, of which the last may have fewer samples, and these into equal parts.

    Returns
    -------
    numpy.ndarray
        (B, P + 1) int.
    """
    starts = np.arange(0, epoch_size, batch_size)[:, None]
    sizes = np.minimum(batch_size, epoch_size - starts)
    return starts + sizes * np.arange(parts + 1) // parts


def batch_ranges(bounds: Bounds, epoch_size: int, epoch: int = 0, done: int = 0) -> Iterator[List[range]]:
    """Yield the parts of batches as indices of samples, epoch after epoch, from batch `done` of `epoch` on."""
    while True:
        for cuts in (epoch * epoch_size + bounds(epoch)[done:]).tolist():
            yield [range(start, stop) for start, stop in zip(cuts, cuts[1:])]
        epoch, done = epoch + 1, 0


def portions(batches: Iterator[List[range]], share: Share) -> Iterator[Portion[range]]:
    """Yield a machine's portion of every batch."""
    for parts in batches:
        mine = {number: parts[number] for number in share.of(len(parts)) if len(parts[number])}
        yield Portion(parts[-1].stop - parts[0].start, mine)
