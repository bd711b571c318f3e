"""Data sets on disk that a run reads, and the look at all of their samples."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.disk import hold_out
from ocr_lib.feed.labels import as_written, with_direction
from ocr_lib.feed.survey import Survey, survey
from ocr_lib.recipe.auto import Facts
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.sets.dataset import MAX_PROBLEMS, Dataset, open_dataset, parts_of

HELD_OUT = 0.1


class DiskOptions(NamedTuple):
    """How data on disk is read.

    Attributes
    ----------
    train, validation : pathlib.Path
        Without the latter, `held_out` of the former is validated on.
    format : str, optional
        Of both; found by looking at them when left out.
    held_out, max_problems : float
        Shares of the samples: to hold out, and that may be unusable.
    label_pattern : str, optional
        Finds the labels in the names of images, as `ocr_lib.sets.dataset.open_dataset` tells.
    split : str, optional
        The part to train on, of a list that is parted: "train" if left out. Its "val" or "test" is validated on.
    """

    train: Path
    validation: Optional[Path] = None
    format: Optional[str] = None
    held_out: float = HELD_OUT
    max_problems: float = MAX_PROBLEMS
    label_pattern: Optional[str] = None
    split: Optional[str] = None

    def open(self, path: Path, parts: Sequence[str], alphabet: Optional[str] = None) -> Dataset:
        """Open a data set; see `ocr_lib.sets.dataset.open_dataset`."""
        return open_dataset(path, self.format, self.max_problems, self.label_pattern, parts, alphabet)


class Seen(NamedTuple):
    """What is seen of the samples of a run.

    Attributes
    ----------
    options : DiskOptions
    direction : str, optional
        In which texts are written, if the recipe or the labels say so.
    train, validation : Survey
    problems : list of str
        What of the data sets is no labelled image, a line each.
    repeated : list of int
        Samples that were held out, and are not validated on, since the same images are among those to train on.
    """

    options: DiskOptions
    direction: Optional[str]
    train: Survey
    validation: Survey
    problems: List[str]
    repeated: List[int]

    def facts(self) -> Facts:
        """Return what a recipe can be found from.

        Raises
        ------
        OCRError
            If no image can be read.
        """
        if not len(self.train.indices):
            raise OCRError(f"{self.options.train}: no image can be read; the first: {self.train.faults[0]}")
        return self.train.facts()


def look(
    options: DiskOptions,
    recipe: Recipe,
    alphabet: Optional[str] = None,
    num_workers: Optional[int] = None,
    least_held: int = 1,
) -> Seen:
    """Look at every sample once.

    Parameters
    ----------
    options : DiskOptions
    recipe : Recipe
        Its seed and what it says of texts count.
    alphabet : str, optional
        What class ids in a RecordIO file stand for.
    num_workers : int, optional
        Processes that look at the samples; as many as it takes if left out.
    least_held : int
        Samples to hold out, where there is no data set to validate on.

    Raises
    ------
    OCRError
        If there is no such data set, or too few samples in it.
    """
    found = options.open(options.train, parts_of(options.split, "train"), alphabet)
    recipe = with_direction(recipe, found)
    dataset = as_written(found, recipe)
    repeated: List[int] = []
    problems = list(dataset.problems)
    if options.validation is None:
        kept, held = hold_out(len(dataset), options.held_out, recipe.seed, least_held)
        train, validation = (survey(dataset, indices, num_workers) for indices in (kept, held))
        again, others = validation.parted(np.isin(validation.columns["digest"], train.columns["digest"]))
        if len(others.indices):
            validation, repeated = others._replace(faults=validation.faults), again.indices.tolist()
    else:
        other = as_written(options.open(options.validation, ("val", "test"), alphabet), recipe)
        train, validation = (survey(each, range(len(each)), num_workers) for each in (dataset, other))
        problems += other.problems
    return Seen(options, recipe.text.direction, train, validation, problems, repeated)
