"""Measuring a recognizer on labelled images: all that ``lstm_ocr_eval.py`` does."""

import logging
import os
import pickle
import time
from collections import Counter
from contextlib import closing
from functools import partial
from itertools import islice, starmap, tee
from pathlib import Path
from typing import Any, Callable, Generator, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cores import usable_cores
from ocr_lib.errors import OCRError, naming
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.jobs.load import load
from ocr_lib.jobs.own_words import OwnWords
from ocr_lib.recognize.equal_texts import EQUALITIES, Equality
from ocr_lib.recognize.evaluation import Evaluation, Evaluator
from ocr_lib.recognize.evaluations import Evaluations
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.recognizer import Recognizer
from ocr_lib.sets.dataset import MAX_PROBLEMS, Dataset, check_problems, open_dataset, parts_of, tell_problems
from ocr_lib.sets.labelled import rewritten

logger = logging.getLogger(__name__)

NUM_WORST = 20
_CHUNK = 128
_WORTH_CORES_S = 8.0  # that one process would take; several take some to start


class _Sample(NamedTuple):
    name: str
    text: str
    image: np.ndarray
    words: Optional[List[str]]  # to choose from


_Chunk = Tuple[List[np.ndarray], Optional[List[List[str]]]]


def evaluate(
    recognizer: Union[Recognizer, str, Path],
    data: Union[str, Path],
    *,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
    label_pattern: Optional[str] = None,
    split: Optional[str] = None,
    lexicon: Optional[str] = None,
    compare: str = "exact",
    num_worst: int = NUM_WORST,
    cpus: Optional[int] = 1,
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
    label_pattern : str, optional
        Regular expression whose group ``text`` finds the labels in the names of images.
    split : str, optional
        The part to read of a list that is parted: test if left out, or where there is none val; or all.
    lexicon : {"own", "own-medium"}, optional
        Read each image as the most probable word of its own lexicon; of IIIT5K of the small one or the medium one.
    compare : {"exact", "alphanumeric"}
        Whether all characters count, or letters and digits alone, ignoring case.
    num_worst : int
        Lines to keep of those read worst.
    cpus : int or None
        Processes to read with, each on one core: one is this process; None takes all cores where that saves time. More
        than one need a recognizer that pickles, its decoder included. An exported model has threads of its own: leave
        it at one.
    tell : callable, optional
        Is given the number of images that were read, and of those that there are, now and then.

    Returns
    -------
    Evaluation
        Figures as fractions, confusions, the worst lines; ``as_text()``, ``as_json()``.

    Raises
    ------
    OCRError
        If there is no such recognizer or data set, too little of it can be read, it has no lexicons and these are
        wanted, `cpus` is less than 1, or more and the recognizer does not pickle.
    """
    if num_worst < 0:
        raise OCRError(f"--worst must be at least 0, not {num_worst}")
    if cpus is not None and cpus < 1:
        raise OCRError(f"--cpu must be at least 1, not {cpus}")
    if compare not in EQUALITIES:
        raise OCRError(f"there is no --compare {compare}: choose from {', '.join(EQUALITIES)}")
    path, equality = Path(data), EQUALITIES[compare]
    reader = recognizer if isinstance(recognizer, Recognizer) else load(recognizer)
    parts = parts_of(split, "test", "val")
    dataset = open_dataset(path, format, max_problems, label_pattern, parts, reader.alphabet.characters, lexicon)
    dataset = rewritten(dataset, reader.alphabet.writing)
    _warn_of_unknown(dataset, reader.alphabet, equality)
    evaluator = Evaluator(num_worst, equality)
    words = OwnWords(reader.alphabet, equality) if lexicon else None
    problems = list(dataset.problems)
    samples = _samples(
        *(dataset, reader, equality, words, problems),
        lambda usable: check_problems(path, usable, problems, max_problems),
    )
    done = 0
    with closing(_readings(reader, samples, -(-len(dataset) // _CHUNK), cpus)) as found:
        for chunk in found:
            for sample, reading in chunk:
                evaluator.add(sample.name, sample.text, reading, sample.image)
            done += len(chunk)
            if tell:
                tell(done, len(dataset))
    tell_problems("Skipped", problems)
    if words:
        words.tell()
    return evaluator.evaluation(len(problems))


def evaluate_all(
    recognizer: Union[Recognizer, str, Path], data: Sequence[Union[str, Path]], **options: Any
) -> Evaluations:
    """Measure how well a recognizer reads several data sets; see `evaluate`, whose options are for all of them.

    Raises
    ------
    OCRError
        As `evaluate` does; of a data set that is not there before any is read.
    """
    for path in data:
        if not Path(path).exists():
            raise OCRError(f"{path}: no such file or folder")
    reader = recognizer if isinstance(recognizer, Recognizer) else load(recognizer)
    return Evaluations([(str(path), evaluate(reader, path, **options)) for path in data])


def _readings(
    recognizer: Recognizer, samples: Iterator[_Sample], count: int, cpus: Optional[int]
) -> Generator[List[Tuple[_Sample, Reading]], None, None]:
    """Read samples, which make so many chunks, and yield these with their readings."""
    given, to_read = tee(iter(lambda: list(islice(samples, _CHUNK)), []))
    chunks = (_chunk(samples) for samples in to_read)
    with closing(_read(recognizer, chunks, count, cpus)) as found:
        for chunk, readings in zip(given, found):
            yield list(zip(chunk, readings))


def _chunk(samples: List[_Sample]) -> _Chunk:
    words = [sample.words for sample in samples if sample.words is not None]
    return [sample.image for sample in samples], words or None


def _read(
    recognizer: Recognizer, chunks: Iterator[_Chunk], count: int, cpus: Optional[int]
) -> Generator[List[Reading], None, None]:
    """Read chunks of images, of which there are so many, one after another."""
    if cpus is None:
        began = time.perf_counter()
        first = [recognizer.read(*chunk) for chunk in islice(chunks, 1)]
        cpus = usable_cores() if (time.perf_counter() - began) * (count - 1) > _WORTH_CORES_S else 1
        yield from first
    processes = min(cpus, count)
    if processes <= 1:
        yield from starmap(recognizer.read, chunks)
        return
    try:  # by pickle itself: as multiprocessing does it, MXNet's arrays are for one other process only
        pickled = pickle.dumps(recognizer)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OCRError(f"cpus={cpus}: other processes can't have this recognizer ({error}): leave cpus at 1") from error
    with OrderedPool(partial(_unpickled_read, pickled), processes) as pool:
        yield from pool.map(chunks)


def _unpickled_read(recognizer: bytes) -> Callable[[_Chunk], List[Reading]]:
    os.environ["OMP_NUM_THREADS"] = "1"  # is read when MXNet is loaded, which comes with what is unpickled
    reader: Recognizer = pickle.loads(recognizer)  # noqa: S301  (this program's own)
    return lambda chunk: reader.read(*chunk)


def _warn_of_unknown(dataset: Dataset, alphabet: Alphabet, equality: Equality) -> None:
    texts = (dataset.item(index).text for index in range(len(dataset)))
    found = Counter(character for text in texts for character in equality.key(text))
    known = {*map(equality.key, alphabet.characters)}
    unknown = [f"{c!r} ({found[c]} times)" for c in sorted(found) if c not in known]
    if unknown:
        logger.warning("The alphabet lacks %s of the texts: these count as errors", ", ".join(unknown))


def _samples(
    dataset: Dataset,
    recognizer: Recognizer,
    equality: Equality,
    words: Optional[OwnWords],
    problems: List[str],
    check: Callable[[int], None],
) -> Iterator[_Sample]:
    """Yield images with what they say; stop as soon as too many are sure not to be read."""
    total = len(dataset) + len(problems)
    for index in range(len(dataset)):
        name, text = dataset.item(index)
        lexicon = dataset.lexicon(index) if words else []
        try:
            with naming(dataset.where(index)):
                if not equality.key(text):
                    raise OCRError(f"nothing of the text {text!r} counts, as it has no letter or digit")
                if words and not lexicon:
                    raise OCRError("it has no lexicon")
            image = dataset.read(index, recognizer.preparation.rendition)
            with naming(dataset.where(index)):
                recognizer.preparation.width_of(image)
        except OCRError as error:
            problems.append(str(error))
            check(total - len(problems))
        else:
            yield _Sample(name, text, image, words.of(text, lexicon) if words else None)
