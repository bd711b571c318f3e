"""The processes that compute a network: each batch by part, and each part on one thread."""

import os
from functools import partial
from itertools import count
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import PartedBatch
from ocr_lib.feed.source import Batch
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.training.kernels import sum_rows
from ocr_lib.training.layout import Layout
from ocr_lib.training.memory import SharedVectors
from ocr_lib.training.part import STATE, Figures, PartNetwork, Training, Validating

_FIRST_PART = STATE + 1
_Task = Union[Training, Validating]


class Sums(NamedTuple):
    """What the parts of a batch come to, in one vector, which is all that machines that share the batch have to add up.

    The next batch writes to the same memory.

    Attributes
    ----------
    vector : numpy.ndarray
        (S + 3,) float32: the sums of the gradients of all samples; behind them, of the running averages that each part
        leaves, the mean over the samples of the whole batch; and last the figures below.
    """

    vector: np.ndarray

    @property
    def right(self) -> float:
        """Samples that were read right."""
        return float(self.vector[-3])

    @property
    def cost(self) -> float:
        """The sum of their costs."""
        return float(self.vector[-2])

    @property
    def stopping(self) -> bool:
        """Whether a machine wishes to stop."""
        return bool(self.vector[-1])


class Crew:
    """Computes a recipe's network on so many processes; what comes out does not depend on their number.

    A process that dies is replaced, and its part done again. One process is this one, if MXNet has one thread here.

    Parameters
    ----------
    recipe : Recipe
    processes : int
    gpus : int
        Each process has one of so many GPUs; 0 computes on the CPU.

    Attributes
    ----------
    recipe : Recipe
    layout : Layout
        Of vectors (S,).
    state : numpy.ndarray
        (S,) float32, the network as it is; what is written there is what computes next.
    description : str
        What it computes on.

    Raises
    ------
    OCRError
        If `processes` is less than 1, or no process can be started.
    """

    def __init__(self, recipe: Recipe, processes: int = 1, gpus: int = 0) -> None:
        if processes < 1:
            raise OCRError(f"--cpu must be at least 1, not {processes}")
        self.recipe = recipe
        self.description = f"{gpus or processes} {'GPU' if gpus else 'core'}{'s' * ((gpus or processes) > 1)}"
        self.layout = Layout(recipe)
        self._memory = SharedVectors(_FIRST_PART + recipe.training.parts, self.layout.size)
        self.state = self._memory.array[STATE]
        self._vector = np.zeros(self.layout.size + 3, np.float32)
        self._make_network = partial(PartNetwork, recipe, self._memory, gpus)
        self._network: Optional[PartNetwork] = None
        self._pool: Optional[OrderedPool[_Task, Figures]] = None
        if processes > 1 or gpus or os.environ.get("OMP_NUM_THREADS") != "1":
            self._pool = OrderedPool(self._make_network, processes)

    def train(self, batch: PartedBatch, updates: int, stopping: Callable[[], bool] = bool) -> Sums:
        """Put a batch through the network and back.

        Parameters
        ----------
        batch : PartedBatch
        updates : int
            How many were done before: with the recipe's seed and the part's number, that of dropout.
        stopping : callable
            Says whether this machine wishes to stop then.
        """
        seeds = (_seed(self.recipe.seed, updates, number) for number in batch.parts)
        tasks = map(Training, count(_FIRST_PART), seeds, batch.parts.values())
        return self._summed(batch, list(self._do(tasks)), stopping())

    def validate(self, batches: Iterable[Batch], updates: int) -> Iterator[Figures]:
        """Yield what the network, after so many updates, makes of samples, batch by batch."""
        return self._do(map(partial(Validating, updates), batches))

    def close(self) -> None:
        """Stop the processes."""
        if self._pool:
            self._pool.close()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _do(self, tasks: Iterable[_Task]) -> Iterator[Figures]:
        if self._pool:
            return self._pool.map(tasks)
        self._network = self._network or self._make_network()
        return map(self._network, tasks)

    def _summed(self, batch: PartedBatch, figures: List[Figures], stopping: bool) -> Sums:
        trained, vector, known = self.layout.trained, self._vector, self.recipe.alphabet.known
        rows = self._memory.array[_FIRST_PART : _FIRST_PART + len(figures)]
        sum_rows(rows, vector[:trained])
        averages = vector[trained : self.layout.size]
        averages[:] = 0
        right = 0
        for part, row, of_part in zip(batch.parts.values(), rows, figures):
            averages += row[trained:] * np.float32(len(part.texts) / batch.samples)
            right += sum(known(text) == read for text, read in zip(part.texts, of_part.texts))
        vector[-3:] = right, sum(of_part.cost for of_part in figures), stopping
        return Sums(vector)


def _seed(seed: int, updates: int, part: int) -> int:
    entropy = [seed, updates, part] if part else [seed, updates]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 1)
