"""Training steps of a recipe's network alone, on one batch of noise, as lstm_ocr_train.py does them: by part, on cores.

Rendering processes import this module: it must not load MXNet before a step is asked for.
"""

import hashlib
from contextlib import contextmanager
from typing import Callable, Iterator, Optional

import numpy as np

from ocr_lib.cores import usable_cores
from ocr_lib.feed.batches import PartedBatch, even_bounds
from ocr_lib.feed.source import Batch
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

_UPDATES_PER_EPOCH = 1000


def on_all_cores(recipe: Recipe) -> Recipe:
    """Return the recipe with as many parts of a batch as there are cores."""
    return override(recipe, [("training.parts", usable_cores())])


@contextmanager
def our_step(
    recipe: Recipe, processes: Optional[int] = None, width: Optional[int] = None
) -> Iterator[Callable[[], int]]:
    """Give a function that does a training step, and returns how many samples that was."""
    with _stepping(recipe, processes, width) as step:
        yield lambda: step()[0]


def digest(recipe: Recipe, processes: int, steps: int, width: Optional[int] = None) -> str:
    """Return the SHA-256 of the network after some training steps."""
    with _stepping(recipe, processes, width) as step:
        for _ in range(steps):
            _, state = step()
        return hashlib.sha256(state.tobytes()).hexdigest()


@contextmanager
def _stepping(recipe: Recipe, processes: Optional[int], width: Optional[int]) -> Iterator[Callable]:
    """Give a function that does a step; it returns the number of samples, and the network after it."""
    from ocr_lib.training.crew import Crew
    from ocr_lib.training.initial import fill, initial_weights
    from ocr_lib.training.optimizer import Optimizer, clipped

    training = recipe.training
    batch = parted(fixed_batch(recipe, width), training.parts)
    with Crew(recipe, processes or min(usable_cores(), training.parts)) as crew:
        fill(crew.layout.views(crew.state), initial_weights(recipe))
        optimizer = Optimizer(training, crew.layout, _UPDATES_PER_EPOCH)
        trained, size, updates = crew.layout.trained, crew.layout.size, 0

        def step():
            nonlocal updates
            vector = crew.train(batch, updates).vector
            rescale = clipped(vector[:trained], 1 / batch.samples, training.clip_norm)
            optimizer.update(crew.state, vector, rescale)
            crew.state[trained:] = vector[trained:size]
            updates += 1
            return batch.samples, crew.state

        yield step


def fixed_batch(recipe: Recipe, width: Optional[int] = None) -> Batch:
    """Return a batch of noise, of images of the recipe's width, or another where it has none."""
    rng = np.random.default_rng(0)
    text, count, width = recipe.text, recipe.training.batch_size, recipe.image.width or width
    lengths = rng.integers(text.min_length, text.max_length + 1, count)
    texts = ["".join(rng.choice(list(text.alphabet), length)) for length in lengths]
    images = rng.integers(0, 256, (count, recipe.image.height, width), np.uint8)
    return Batch(images, texts, np.full(count, width))


def parted(batch: Batch, parts: int) -> PartedBatch:
    """Return a batch by part."""
    (cuts,) = even_bounds(len(batch.texts), len(batch.texts), parts).tolist()
    pieces = {number: slice(*pair) for number, pair in enumerate(zip(cuts, cuts[1:])) if pair[0] < pair[1]}
    return PartedBatch(len(batch.texts), {n: Batch(*(each[piece] for each in batch)) for n, piece in pieces.items()})
