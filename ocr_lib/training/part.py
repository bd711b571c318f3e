"""Parts of batches, put through a network by one thread: the work of the processes of a `Crew`."""

import os
from typing import List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.feed.source import Batch
from ocr_lib.geometry import shrunk
from ocr_lib.heap import give_back_freed
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.decode import best_path, blank_share
from ocr_lib.training.layout import Layout
from ocr_lib.training.memory import SharedVectors

STATE = 0
"""The row of shared memory with the network as it is; those behind it take what parts of a batch give."""


_LAYERS_KEPT = "4"  # of a kind, each for another shape; MXNet keeps all unless it is told so
_TASKS_TILL_RELEASE = (
    8  # memory given back after each task is asked for again in the next, a fifth of whose time that takes
)


class Training(NamedTuple):
    """A part of a batch to train on.

    Attributes
    ----------
    row : int
        Of shared memory, for its gradients and, behind them, the running averages of batch normalisation after it.
    seed : int
        Of dropout.
    batch : Batch
    """

    row: int
    seed: int
    batch: Batch


class Validating(NamedTuple):
    """Samples to validate on.

    Attributes
    ----------
    updates : int
        How many were done: the network is the same until there are others.
    batch : Batch
    """

    updates: int
    batch: Batch


class Figures(NamedTuple):
    """What the network made of samples, without padding.

    Attributes
    ----------
    texts : list of str
        As read, greedily.
    cost : float
        The sum of their CTC costs.
    blanks : float
        The share of their time steps at which the blank is the likeliest class, times their number.
    """

    texts: List[str]
    cost: float
    blanks: float


class PartNetwork:
    """A recipe's network in one thread.

    Parameters
    ----------
    recipe : Recipe
    memory : SharedVectors
        Rows of a `Layout`.
    gpus : int
        Take one of so many GPUs that no other process has; 0 computes on the CPU.
    """

    def __init__(self, recipe: Recipe, memory: SharedVectors, gpus: int = 0) -> None:
        self._has_shapes = recipe.image.width is None
        # Both are read when MXNet is loaded.
        os.environ["OMP_NUM_THREADS"] = "1"
        if self._has_shapes:
            os.environ.setdefault("MXNET_MKLDNN_CACHE_NUM", _LAYERS_KEPT)
        from ocr_lib.feed.iterator import Feeder
        from ocr_lib.mx import mx
        from ocr_lib.net.build import training_symbol
        from ocr_lib.training.transfer import Transfer

        self._recipe = recipe
        self._validating: Optional[int] = None
        self._tasks_done = 0
        self._feeder = Feeder(recipe)
        data, label = self._feeder.shapes(1)
        device = mx.gpu(memory.claim(gpus)) if gpus else mx.cpu()
        self._module = mx.mod.Module(
            training_symbol(recipe, packed=True), [each.name for each in data], ["label"], context=device
        )
        self._module.bind(data, label)
        self._module.init_params()
        rows = [Layout(recipe).packed_views(row) for row in memory.array]
        self._transfer = Transfer(self._module, rows[STATE], rows)

    def __call__(self, task: Union[Training, Validating]) -> Figures:
        """Do a task."""
        from ocr_lib.mx import mx

        batch = self._feeder.fed(task.batch)
        if isinstance(task, Validating):
            if self._validating != task.updates:
                self._transfer.load()
                self._transfer.note_inference()
                self._validating = task.updates
            self._module.forward(batch, is_train=False)
        else:
            self._validating = None
            self._transfer.load()
            if self._recipe.network.dropout:
                mx.random.seed(task.seed)
            self._module.forward_backward(batch)
            self._transfer.store(task.row)
        self._tasks_done += 1
        if self._has_shapes and self._tasks_done % _TASKS_TILL_RELEASE == 0:
            give_back_freed()
        return self._figures(task.batch)

    def _figures(self, batch: Batch) -> Figures:
        probabilities, costs = (output.asnumpy() for output in self._module.get_outputs())  # (N, T, C), (N,)
        probabilities = probabilities.swapaxes(0, 1)  # (T, N, C)
        texts = [self._recipe.alphabet.decode(ids) for ids in best_path(probabilities)]
        steps = shrunk(batch.widths, self._recipe.network.shrinkage(0))
        blanks = len(texts) * blank_share(probabilities, steps)
        return Figures(texts, float(np.sum(costs, dtype=np.float64)), float(blanks))
