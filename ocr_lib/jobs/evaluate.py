"""Measuring a recognizer on labelled images: all that ``lstm_ocr_eval.py`` does."""

import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple, Union

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError, naming
from ocr_lib.jobs.load import load
from ocr_lib.recognize.evaluation import Evaluation, Evaluator
from ocr_lib.recognize.recognizer import Recognizer
from ocr_lib.sets.dataset import MAX_PROBLEMS, Dataset, Item, check_problems, open_dataset, tell_problems

logger = logging.getLogger(__name__)

NUM_WORST = 20
_CHUNK = 128


def evaluate(
    recognizer: Union[Recognizer, str, Path],
    data: Union[str, Path],
    *,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
    num_worst: int = NUM_WORST,
    tell: Optional[Callable[[int, int], object]] = None,
) -> Evaluation:
    """Measure how well a recognizer reads labelled images.

    Parameters
    ----------
    recognizer : Recognizer, str or pathlib.Path
        Or what `ocr_lib.load` opens.
    data : str or pathlib.Path
        A data set, as `ocr_lib.sets.dataset.open_dataset` takes it.
    format : str, optional
        Of the data; found by looking if left out.
    max_problems : float
        Share of the images that may be unusable; they are left out, and told.
    num_worst : int
        Lines to keep of those read worst.
    tell : callable, optional
        Is given the number of images that were read, and of those that there are, now and then.

    Returns
    -------
    Evaluation
        Figures as fractions, confusions, the worst lines; ``as_text()``, ``as_json()``.

    Raises
    ------
    OCRError
        If there is no such recognizer or data set, or too little of it can be read.
    """
    if num_worst < 0:
        raise OCRError(f"--worst must be at least 0, not {num_worst}")
    path = Path(data)
    dataset = open_dataset(path, format, max_problems)
    reader = recognizer if isinstance(recognizer, Recognizer) else load(recognizer)
    _warn_of_unknown(dataset, reader.alphabet)
    evaluator = Evaluator(num_worst)
    problems = list(dataset.problems)
    images = _images(dataset, reader, problems, lambda usable: check_problems(path, usable, problems, max_problems))
    done = 0
    while batch := list(islice(images, _CHUNK)):
        for (item, image), reading in zip(batch, reader.read([image for _, image in batch])):
            evaluator.add(item.name, item.text, reading, image)
        done += len(batch)
        if tell:
            tell(done, len(dataset))
    tell_problems("Skipped", problems)
    return evaluator.evaluation(len(problems))


def _warn_of_unknown(dataset: Dataset, alphabet: Alphabet) -> None:
    found = Counter(character for index in range(len(dataset)) for character in dataset.item(index).text)
    unknown = [f"{c!r} ({found[c]} times)" for c in sorted(found) if c not in alphabet.characters]
    if unknown:
        logger.warning("The alphabet lacks %s of the texts: these count as errors", ", ".join(unknown))


def _images(
    dataset: Dataset, recognizer: Recognizer, problems: List[str], check: Callable[[int], None]
) -> Iterator[Tuple[Item, np.ndarray]]:
    """Yield images with what they say; stop as soon as too many are sure not to be read."""
    total = len(dataset) + len(problems)
    for index in range(len(dataset)):
        item = dataset.item(index)
        try:
            image = dataset.read(index)
            with naming(dataset.where(index)):
                recognizer.preparation.width_of(image)
        except OCRError as error:
            problems.append(str(error))
            check(total - len(problems))
        else:
            yield item, image
