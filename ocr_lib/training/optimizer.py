"""Optimizers that update a whole network at once, with MXNet's arithmetic and its schedules of the learning rate."""

import math
from typing import Dict, Optional, Tuple

import numpy as np

from ocr_lib.mx import mx
from ocr_lib.recipe.training import TrainingRecipe
from ocr_lib.training.kernels import adam_step, momentum_step, squared_norm
from ocr_lib.training.layout import Layout

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def make_schedule(recipe: TrainingRecipe, batches: int) -> "mx.lr_scheduler.LRScheduler":
    """Return the learning rate as a function of the number of updates, of which an epoch has as many as batches."""
    warmup = {"base_lr": recipe.learning_rate, "warmup_steps": round(recipe.warmup * batches)}
    if recipe.schedule == "cosine":
        return mx.lr_scheduler.CosineScheduler(max(recipe.epochs * batches, warmup["warmup_steps"] + 1), **warmup)
    factor = recipe.step_factor if recipe.schedule == "step" else 1.0
    return mx.lr_scheduler.FactorScheduler(recipe.step_epochs * batches, factor, **warmup)


class Optimizer:
    """Gradient descent with momentum, or Adam (Kingma and Ba 2015).

    Parameters
    ----------
    recipe : TrainingRecipe
    layout : Layout
        Of the network.
    batches : int
        Of an epoch.
    updates : int
        How many were done before.

    Attributes
    ----------
    vectors : list of numpy.ndarray
        Its momenta, or means and variances.
    """

    def __init__(self, recipe: TrainingRecipe, layout: Layout, batches: int, updates: int = 0) -> None:
        self._recipe = recipe
        self._layout = layout
        self._schedule = make_schedule(recipe, batches)
        self._updates = updates
        self.vectors = [np.zeros(layout.trained, np.float32) for _ in range(1 + (recipe.optimizer == "adam"))]

    @property
    def states(self) -> Dict[str, np.ndarray]:
        """The arrays in its vectors, called ``{parameter}:{k}``; writing to them sets them."""
        views = [self._layout.views(state) for state in self.vectors]
        return {f"{name}:{k}": array for k, arrays in enumerate(views) for name, array in arrays.items()}

    def update(
        self, weights: np.ndarray, gradients: np.ndarray, rescale: float, position: Optional[float] = None
    ) -> None:
        """Do a step.

        Parameters
        ----------
        weights, gradients : numpy.ndarray
            (S,) float32; what lies behind those that are trained is left alone.
        rescale : float
            What the gradients are multiplied by.
        position : float, optional
            Of the update on the schedule of the learning rate; its number if left out.
        """
        self._updates += 1
        rate = self._schedule(self._updates if position is None else position)
        decay = self._recipe.weight_decay
        for run, decays in self._layout.runs if decay else [(slice(self._layout.trained), False)]:
            vectors = weights[run], gradients[run], *(state[run] for state in self.vectors)
            self._step(vectors, rate, rescale, decay * decays)

    def _step(self, vectors: Tuple[np.ndarray, ...], rate: float, rescale: float, decay: float) -> None:
        if self._recipe.optimizer == "adam":
            correction = math.sqrt(1 - _BETA2**self._updates) / (1 - _BETA1**self._updates)
            adam_step(*vectors, rate * correction, _BETA1, _BETA2, _EPSILON, rescale, decay)
        else:
            momentum_step(*vectors, rate, self._recipe.momentum, rescale, decay)


def clipped(gradients: np.ndarray, rescale: float, max_norm: float) -> float:
    """Return what to multiply gradients by: `rescale`, or less where their norm would be more than `max_norm` then.

    So they are clipped as Pascanu et al. 2013 do it; 0 clips nothing.
    """
    if not max_norm:
        return rescale
    norm = rescale * math.sqrt(squared_norm(gradients))
    return rescale * max_norm / norm if norm > max_norm else rescale
