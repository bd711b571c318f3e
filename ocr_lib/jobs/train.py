"""Training a recognizer: all that ``lstm_ocr_train.py`` does."""

import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple, Union

from ocr_lib.cores import usable_cores
from ocr_lib.errors import OCRError, option_name
from ocr_lib.feed.plan import HELD_OUT, DiskOptions, Plan, plan_disk, plan_fonts
from ocr_lib.feed.samples import Samples
from ocr_lib.feed.source import Batch
from ocr_lib.files import check_free, check_writable, write_atomic
from ocr_lib.jobs.export import checked_model
from ocr_lib.net.manifest import Saved
from ocr_lib.preparation import pad
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import Settings, override
from ocr_lib.sets.dataset import MAX_PROBLEMS
from ocr_lib.training.progress import Progress
from ocr_lib.training.start import LOG_FILES, Start, StartOptions, check_log_folder, find_start

if TYPE_CHECKING:
    from ocr_lib.training.crew import Crew
    from ocr_lib.training.trainer import Trainer

logger = logging.getLogger(__name__)

_SIZES = ("training.epoch_size", "training.validation_size")


class Trained(NamedTuple):
    """What has become of a training run.

    Attributes
    ----------
    best : Saved, optional
        The best checkpoint and its figures; None before the first validation.
    stopped : str, optional
        The name of the signal that stopped it.
    """

    best: Optional[Saved] = None
    stopped: Optional[str] = None


class _Options(NamedTuple):
    """How a run is carried out, which changes no sample; as `train` has them."""

    prefix: str
    num_proc: Optional[int]
    cpus: Optional[int]
    gpus: int
    target_accuracy: float
    deadline: float
    export_on_end: bool
    log_dir: Path
    is_new: bool
    dry_run: bool
    quiet: bool


def train(
    prefix: Union[str, Path] = "ocr",
    recipe: Union[str, Path, Recipe, None] = None,
    fonts: Union[str, Path, None] = None,
    train_data: Union[str, Path, None] = None,
    *,
    settings: Settings = (),
    val_data: Union[str, Path, None] = None,
    held_out: Optional[float] = None,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
    resume: bool = False,
    overwrite: bool = False,
    pretrained: Union[str, Path, None] = None,
    pretrained_policy: Optional[str] = None,
    alphabet_change: Optional[str] = None,
    num_proc: Optional[int] = None,
    cpus: Optional[int] = None,
    gpus: int = 0,
    target_accuracy: float = math.inf,
    time_budget: float = math.inf,
    export_on_end: bool = False,
    log_dir: Union[str, Path, None] = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train a recognizer on captchas that are rendered from fonts, or on labelled images.

    This is ``lstm_ocr_train.py``, whose options have the same names. It tells the logger ``ocr_lib`` what it does, and
    writes checkpoints to ``PREFIX-*``.

    Parameters
    ----------
    prefix : str or pathlib.Path
        That the names of the checkpoint's files begin with.
    recipe : str, pathlib.Path or Recipe, optional
        A preset's name, a recipe's JSON file, or a recipe; the preset ``captcha`` if left out.
    fonts, train_data : str or pathlib.Path
        A font or a folder of them, or a data set; one of the two. With a data set, the alphabet is that of its labels
        unless `settings` have ``text.alphabet``.
    settings : dict, or iterable of (str, object)
        That change the recipe, as in ``{"network.hidden": 64}``.
    val_data, held_out, format, max_problems
        As for `ocr_lib.feed.streams.labelled`, where `val_data` is called `validation`.
    resume, overwrite : bool
        Go on with the run at the prefix, or replace what is there, which is refused otherwise.
    pretrained, pretrained_policy, alphabet_change
        As for `ocr_lib.training.start.StartOptions`.
    num_proc : int, optional
        Worker processes that make samples; as many as it takes if left out.
    cpus : int, optional
        Processes that compute, each on one core, at most the recipe's ``training.parts``; one for each core if left
        out. Their number changes nothing but the time it takes.
    gpus : int
        To train on; 0 trains on the CPU.
    target_accuracy, time_budget : float
        Training stops once a validation reaches the one, or after so many seconds, and then validates.
    export_on_end : bool
        Write ``PREFIX.onnx`` of the best epoch in the end, and try that in the beginning.
    log_dir : str or pathlib.Path, optional
        Folder for curves and TensorBoard events; ``PREFIX-log`` if left out.
    dry_run : bool
        Do all but training, and write nothing.
    quiet : bool
        Show no progress bar.

    Raises
    ------
    OCRError
        If options contradict each other, the data or what is there, or if training fails.
    """
    deadline = time.monotonic() + time_budget
    disk = _disk_options(fonts, train_data, val_data, held_out, format, max_problems)
    pairs = list(dict(settings).items())
    prefix = str(prefix)
    preset = str(recipe) if isinstance(recipe, Path) else recipe
    weights = None if pretrained is None else str(pretrained)
    wanted = prefix, preset, pairs, resume, overwrite, weights, pretrained_policy, alphabet_change
    start = find_start(StartOptions(*wanted, disk is not None))
    folder = Path(log_dir or f"{prefix}-log")
    if not (resume or overwrite):
        check_log_folder(folder)
    for path in Path(prefix), folder / LOG_FILES[0]:
        check_writable(path)
    if export_on_end:
        path = _model_path(prefix)
        check_free(path, overwrite or (resume and _is_model(path)))
    plan = (
        plan_disk(start.recipe, disk, start.make_alphabet, num_proc) if disk else plan_fonts(start.recipe, fonts or "")
    )
    _check_sizes(plan, pairs)
    how = num_proc, cpus, gpus, target_accuracy, deadline, export_on_end
    return _run(plan, start, _Options(prefix, *how, folder, not resume, dry_run, quiet))


def _disk_options(
    fonts: Union[str, Path, None],
    train_data: Union[str, Path, None],
    val_data: Union[str, Path, None],
    held_out: Optional[float],
    format: Optional[str],  # noqa: A002
    max_problems: float,
) -> Optional[DiskOptions]:
    """Return how data on disk is read, or None where captchas are rendered."""
    if (fonts is None) == (train_data is None):
        raise OCRError("give either fonts, or --train-data")
    if train_data is not None:
        validation = None if val_data is None else Path(val_data)
        share = HELD_OUT if held_out is None else held_out
        return DiskOptions(Path(train_data), validation, format, share, max_problems)
    for option, value in {"val_data": val_data, "held_out": held_out, "format": format}.items():
        if value is not None:
            raise OCRError(f"{option_name(option)} goes with --train-data, not with fonts")
    return None


def _run(plan: Plan, start: Start, options: _Options) -> Trained:
    # All processes start while MXNet loads.
    with plan.start_workers(options.num_proc) as pool, _crew(plan.recipe, options) as crew:
        from ocr_lib.feed.streams import training_parts, validation_batches
        from ocr_lib.training.store import Store
        from ocr_lib.training.trainer import Feed, Trainer

        store = Store(start.prefix, start.manifest)
        progress = store.progress() or Progress(plan.fonts, data=plan.data)
        _check_samples(plan, progress)
        logger.info("Recipe %s on %s, %s", plan.recipe.name, crew.description, plan.description)
        validation = validation_batches(plan, pool)
        batches = training_parts(plan, pool, progress.epoch, progress.batch)
        feed = Feed(batches, len(plan.bounds(0)), validation)
        trainer = Trainer(crew, feed, store, progress, start.pretrained)
        if options.export_on_end:
            checked_model(trainer.checkpoint(), Samples(*validation[0]))
        if start.pretrained:
            new = sorted(set(plan.recipe.text.alphabet) - set(start.pretrained.alphabet))
            logger.info("New characters: %s", ", ".join(map(repr, new)) or "none")
        if options.dry_run:
            trainer.try_out()
            logger.info("Dry run: all is ready for %d epochs; nothing was written", plan.recipe.training.epochs)
            return Trained(store.best())
        if start.prefix != options.prefix:
            store.branch(options.prefix)
        stopped = _train(trainer, progress, options)
    if options.export_on_end and not stopped:
        _export_best(options.prefix, validation)
    return Trained(store.best(), stopped)


def _crew(recipe: Recipe, options: _Options) -> "Crew":
    from ocr_lib.training.crew import Crew

    parts = recipe.training.parts
    if options.gpus:
        from ocr_lib.mx import contexts

        return Crew(recipe, min(len(contexts(options.gpus)), parts), options.gpus)
    processes = usable_cores() if options.cpus is None else options.cpus
    if processes > parts:
        logger.info("training.parts is %d, so as many cores of %d compute", parts, processes)
    return Crew(recipe, min(processes, parts))


def _check_sizes(plan: Plan, settings: List[Tuple[str, Any]]) -> None:
    """Refuse sizes other than those of the data on disk."""
    for key, value in settings:
        if key in _SIZES and override(plan.recipe, [(key, value)]) != plan.recipe:
            raise OCRError(f"--set {key}: with --train-data these are the numbers of samples there are")


def _train(trainer: "Trainer", progress: Progress, options: _Options) -> Optional[str]:
    from ocr_lib.training.log import TrainingLog
    from ocr_lib.training.trainer import Limits

    log = TrainingLog(options.log_dir, progress.updates, options.quiet, fresh=options.is_new)
    try:
        return trainer.run(log, Limits(options.target_accuracy, options.deadline))
    finally:
        log.close(progress.history)


def _export_best(prefix: str, validation: List[Batch]) -> None:
    from ocr_lib.net.checkpoint import load_checkpoint

    images, widths = pad([image[:, :width] for b in validation for image, width in zip(b.images, b.widths)])
    samples = Samples(images, [text for b in validation for text in b.texts], widths)
    path = _model_path(prefix)
    write_atomic(path, checked_model(load_checkpoint(prefix, "best"), samples).data)
    logger.info("Exported to %s", path)


def _model_path(prefix: str) -> Path:
    return Path(f"{prefix}.onnx")


def _is_model(path: Path) -> bool:
    """Tell whether a file is a model of ours, as a run that goes on may have exported."""
    if not path.is_file():
        return False
    from ocr_lib.deploy.metadata import FORMAT

    return FORMAT.encode() in path.read_bytes()


def _check_samples(plan: Plan, progress: Progress) -> None:
    """Refuse to go on with a run on other samples than those that it was begun with."""
    if progress.fonts != plan.fonts:
        began_with = ", ".join(progress.fonts) or "data on disk"
        raise OCRError(f"{plan.source}: not what this run was begun with, which is {began_with}")
    if progress.data != plan.data:
        raise OCRError(f"{plan.source}: not the samples that this run was begun with")
