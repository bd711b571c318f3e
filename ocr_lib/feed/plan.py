"""Where the samples of a training run come from: fonts, or data sets on disk."""

import logging
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import Bounds, even_bounds
from ocr_lib.feed.data import Seen
from ocr_lib.feed.disk import DiskSource, Subset, fitting
from ocr_lib.feed.inspection import inspect
from ocr_lib.feed.order import EpochOrder, validation_bounds
from ocr_lib.feed.source import Batch, CaptchaSource, Task, captcha_width, renderer_modules
from ocr_lib.feed.survey import Survey
from ocr_lib.feed.text_plan import digest, plan_texts, with_alphabet, with_characters
from ocr_lib.feed.text_source import TextSource
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.files import sha256
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.recognize.ctc import required_steps
from ocr_lib.sets.dataset import tell_problems

logger = logging.getLogger(__name__)

_NICENESS = 5


class Plan(NamedTuple):
    """What a run is trained on.

    Attributes
    ----------
    recipe : Recipe
        With the alphabet and the numbers of samples of data on disk.
    source : pathlib.Path
        Of the training samples.
    make_source : callable
        Called in every worker, returns the function from a task to its batch.
    modules : list of str
        That workers need.
    fonts : dict of str to str
        SHA-256 of each font by its name.
    data : str
        Digest of the data on disk, be they texts and fonts that texts are rendered in; empty for captchas.
    description : str
    bounds : callable
        Where the parts of an epoch's batches begin and end, see `ocr_lib.feed.batches.Bounds`.
    validation_bounds : numpy.ndarray
        (B, 2) int: where the batches to validate on begin and end.
    """

    recipe: Recipe
    source: Path
    make_source: Callable[[], Callable[[Task], Batch]]
    modules: List[str]
    fonts: Dict[str, str]
    data: str
    description: str
    bounds: Bounds
    validation_bounds: np.ndarray

    def start_workers(self, num_proc: Optional[int] = None) -> OrderedPool[Task, Batch]:
        """Start processes that make its batches, and give way to the network; as many as it takes if left out."""
        return OrderedPool[Task, Batch](self.make_source, num_proc, self.modules, _NICENESS)


def plan_fonts(recipe: Recipe, path: Union[str, Path], make_alphabet: Optional[Callable[[str], str]] = None) -> Plan:
    """Plan a run on captchas, or rendered texts, in the font at `path`, or in the fonts of that folder.

    Parameters
    ----------
    recipe : Recipe
    path : str or pathlib.Path
    make_alphabet : callable, optional
        From the characters of the recipe's sources of texts, if it has any, to the alphabet; the recipe's is kept when
        left out.

    Raises
    ------
    OCRError
        If there are no such fonts, the texts don't fit into the network's time steps, or there are none.
    """
    recipe = override(recipe, {"text.alphabet": recipe.text.writing.alphabet(recipe.text.alphabet)})
    recipe = with_characters(recipe, make_alphabet)
    plan = _plan_captchas if recipe.rendering is None else _plan_texts
    return plan(recipe, Path(path))


def _plan_captchas(recipe: Recipe, path: Path) -> Plan:
    if recipe.image.channels != 1:
        raise OCRError(f"captchas are drawn in grey, and image.channels is {recipe.image.channels}: leave it at 1")
    if recipe.text.direction == "rtl":
        raise OCRError("text.direction rtl is that of labels: texts that are drawn stand from left to right")
    _check_room(recipe)
    fonts = find_fonts(path, recipe.text.alphabet, recipe.captcha.font_sizes)
    return _drawn(
        recipe,
        path,
        partial(CaptchaSource, recipe, fonts),
        renderer_modules(recipe.captcha),
        {font.name: sha256(font.path) for font in fonts},
        digest(recipe.text, []),
        "fonts: " + ", ".join(font.stem for font in fonts),
    )


def _plan_texts(recipe: Recipe, path: Path) -> Plan:
    plan = plan_texts(recipe, path)
    make_source = partial(TextSource, recipe, plan.coverage, plan.pictures)
    return _drawn(recipe, path, make_source, [TextSource.__module__], {}, plan.digest, plan.description)


def _drawn(
    recipe: Recipe,
    path: Path,
    make_source: Callable[[], Callable[[Task], Batch]],
    modules: List[str],
    fonts: Dict[str, str],
    data: str,
    description: str,
) -> Plan:
    """Return the plan of endless samples, which epochs and batches cut as the recipe says."""
    training = recipe.training
    bounds = even_bounds(training.epoch_size, training.batch_size, training.parts)
    validation = even_bounds(training.validation_size, -(-training.batch_size // training.parts), 1)
    return Plan(recipe, path, make_source, modules, fonts, data, description, lambda epoch: bounds, validation)


def _check_room(recipe: Recipe) -> None:
    steps = Preparation.of(recipe).steps(captcha_width(recipe))
    worst = recipe.text.max_length * recipe.text.alphabet[0]
    if required_steps(worst) > steps:
        raise OCRError(
            f"recipe: {len(worst)} times {worst[0]!r} in a row needs {required_steps(worst)} time steps to be aligned, "
            f"and the network gives {steps}: raise image.width (captcha.width, where that is null), or lower "
            "text.max_length or the pools of network.convolutions"
        )


def plan_disk(recipe: Recipe, seen: Seen, make_alphabet: Optional[Callable[[str], str]] = None) -> Plan:
    """Plan a run on data sets on disk.

    Parameters
    ----------
    recipe : Recipe
    seen : Seen
        All of their samples.
    make_alphabet : callable, optional
        From the sorted characters of the training labels to the alphabet; the recipe's is kept when left out.

    Raises
    ------
    OCRError
        If too many samples can't be used, or the labels don't fit the recipe.
    """
    recipe = override(recipe, {"text.direction": seen.direction})
    options = seen.options
    tell_problems("Left out", seen.problems)
    train, validation = (_usable(each, recipe, options.max_problems) for each in (seen.train, seen.validation))
    recipe = _with_texts(recipe, train, validation, options.train, make_alphabet)
    inspect(seen, recipe).tell()
    orders = EpochOrder(recipe, train.widths)
    return Plan(
        recipe,
        options.train,
        partial(DiskSource, recipe, train, validation),
        [DiskSource.__module__],
        {},
        f"{train.digest()} {validation.digest()}",
        f"{len(train.indices)} samples of {options.train}, {len(validation.indices)} to validate on, "
        f"{len(recipe.text.alphabet)} characters",
        lambda epoch: orders(epoch).bounds,
        validation_bounds(recipe, validation.widths),
    )


def _with_texts(
    recipe: Recipe, train: Subset, validation: Subset, source: Path, make_alphabet: Optional[Callable[[str], str]]
) -> Recipe:
    """Return the recipe with the alphabet, the lengths of texts and the numbers of the samples."""
    texts = train.texts()
    lengths = [len(text) for text in texts + validation.texts()]
    settings: List[Tuple[str, object]] = [("text.min_length", min(lengths)), ("text.max_length", max(lengths))]
    if make_alphabet:
        recipe = with_alphabet(recipe, "".join(texts), make_alphabet)
    else:
        settings.append(("text.alphabet", recipe.text.writing.alphabet(recipe.text.alphabet)))
    recipe = override(recipe, settings)
    unknown = sorted(set("".join(texts)) - set(recipe.text.alphabet))
    if unknown:
        raise OCRError(f"{source}: labels have {', '.join(map(repr, unknown))}, which the alphabet lacks")
    unknown = sorted(set("".join(validation.texts())) - set(recipe.text.alphabet))
    if unknown:
        logger.warning("Only validation labels have %s: these will count as errors", ", ".join(map(repr, unknown)))
    sizes = [("training.epoch_size", len(train.indices)), ("training.validation_size", len(validation.indices))]
    return override(recipe, sizes)


def _usable(seen: Survey, recipe: Recipe, max_problems: float) -> Subset:
    """Leave out samples that can't be read, or whose text does not fit; name them."""
    subset, unfit = fitting(seen, Preparation.of(recipe))
    faults = [*seen.faults, *unfit]
    tell_problems("Left out", faults)
    total = len(faults) + len(subset.indices)
    if len(faults) > max_problems * total or len(faults) == total:
        raise OCRError(
            f"{len(faults)} of {total} samples can't be used, more than --max-problems {max_problems:g}; "
            f"the first: {faults[0]}"
        )
    return subset
