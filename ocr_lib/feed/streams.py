"""The data iterators of a plan, and the worker processes behind them."""

from itertools import tee
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Union

from ocr_lib.feed.batches import EVERYTHING, PartedBatch, Share, batch_ranges, even_bounds, portions
from ocr_lib.feed.data import HELD_OUT, DiskOptions, look
from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.plan import Plan, plan_disk, plan_fonts
from ocr_lib.feed.source import Batch, Task
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.sets.dataset import MAX_PROBLEMS

Pool = OrderedPool[Task, Batch]


class Iterators(NamedTuple):
    """What a network is trained and validated on; ``train.recipe`` describes both.

    Attributes
    ----------
    train : OCRIter
        Other samples, or another order of them, in each epoch.
    validation : OCRIter
        The same samples in each epoch.
    """

    train: OCRIter
    validation: OCRIter


def captchas(recipe: Recipe, fonts: Union[str, Path], num_proc: Optional[int] = None) -> Iterators:
    """Render captchas for training and validation as worker processes.

    Parameters
    ----------
    recipe : Recipe
        Its ``training.epoch_size``, ``validation_size`` and ``batch_size`` say how many.
    fonts : str or pathlib.Path
        A font file, or a folder of them.
    num_proc : int, optional
        Worker processes; as many as it takes if left out. They end with the iterators. The samples are the same
        whatever their number.

    Returns
    -------
    Iterators
        Of batches with ``data`` (N, T, F) float32 and ``label`` (N, L) float32, as `OCRIter` tells.

    Raises
    ------
    OCRError
        If there are no such fonts, or the longest texts don't fit into the network's time steps.
    """
    return iterators(plan_fonts(recipe, fonts), num_proc)


def labelled(
    recipe: Recipe,
    path: Union[str, Path],
    validation: Union[str, Path, None] = None,
    alphabet: Optional[str] = None,
    num_proc: Optional[int] = None,
    format: Optional[str] = None,  # noqa: A002
    held_out: float = HELD_OUT,
    max_problems: float = MAX_PROBLEMS,
    label_pattern: Optional[str] = None,
    split: Optional[str] = None,
) -> Iterators:
    """Read labelled images on disk for training and validation in worker processes.

    Parameters
    ----------
    recipe : Recipe
        What it says of the alphabet, of lengths of texts and of numbers of samples gives way to what the data are.
    path : str or pathlib.Path
        A data set, as `ocr_lib.sets.dataset.open_dataset` takes it.
    validation : str or pathlib.Path, optional
        Another to validate on; a share of the first is held out for that if left out.
    alphabet : str, optional
        The characters; those of the training labels, sorted, if left out.
    num_proc : int, optional
        As for `captchas`.
    format : str, optional
        One of `ocr_lib.sets.dataset.FORMATS`; found by looking if left out.
    held_out : float
        Share that is held out.
    max_problems : float
        Share of the samples that may be unusable; they are left out.
    label_pattern : str, optional
        Regular expression whose group ``text`` finds the labels in the names of images.
    split : str, optional
        The part to train on of a list that is parted: train if left out, or all.

    Returns
    -------
    Iterators
        As for `captchas`; where the recipe fixes no width there is a second input, ``widths`` (N,) float32.

    Raises
    ------
    OCRError
        If there are too few samples, too many can't be used, or the labels don't fit the recipe.
    """
    held_apart = None if validation is None else Path(validation)
    options = DiskOptions(Path(path), held_apart, format, held_out, max_problems, label_pattern, split)
    if alphabet is not None:
        recipe = override(recipe, {"text.alphabet": alphabet})
    seen = look(options, recipe, alphabet, num_proc)
    return iterators(plan_disk(recipe, seen, str if alphabet is None else None), num_proc)


def iterators(plan: Plan, num_proc: Optional[int] = None) -> Iterators:
    """Start worker processes for a plan, and return what they feed."""
    pool = plan.start_workers(num_proc)
    return Iterators(training_iterator(plan, pool), validation_iterator(plan, pool))


def training_iterator(plan: Plan, pool: Pool, epoch: int = 0, done: int = 0, least_rows: int = 1) -> OCRIter:
    """Return what a network is trained on, from a batch of an epoch on."""

    def begin(epoch: int, done: int) -> Iterator[Batch]:
        batches = batch_ranges(plan.bounds, plan.recipe.training.epoch_size, epoch, done)
        return pool.map(("train", range(parts[0].start, parts[-1].stop)) for parts in batches)

    return OCRIter(begin, plan.recipe, len(plan.bounds(0)), epoch, done, least_rows)


def training_parts(
    plan: Plan, pool: Pool, epoch: int = 0, done: int = 0, share: Share = EVERYTHING
) -> Iterator[PartedBatch]:
    """Yield batches by part, epoch after epoch, from a batch of an epoch on: those parts that are this machine's."""
    batches = batch_ranges(plan.bounds, plan.recipe.training.epoch_size, epoch, done)
    wanted, made = tee(portions(batches, share))
    parts = pool.map(("train", indices) for portion in wanted for indices in portion.parts.values())
    for portion in made:
        yield PartedBatch(portion.samples, {number: next(parts) for number in portion.parts})


def validation_batches(plan: Plan, pool: Pool, share: Share = EVERYTHING) -> List[Batch]:
    """Return the samples that a network is validated on, or this machine's share: in batches of a part's size."""
    bounds = plan.validation_bounds.tolist()
    return list(pool.map(("validation", range(*bounds[number])) for number in share.of(len(bounds))))


def validation_iterator(plan: Plan, pool: Pool, least_rows: int = 1) -> OCRIter:
    """Return what a network is validated on, in batches of the recipe's size."""
    training = plan.recipe.training
    bounds = even_bounds(training.validation_size, training.batch_size, 1).tolist()
    batches = list(pool.map(("validation", range(*pair)) for pair in bounds))
    return OCRIter(batches, plan.recipe, least_rows=least_rows)
