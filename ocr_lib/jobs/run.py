"""Carrying out a training run, once it is clear what it begins with and what it is trained on."""

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, NamedTuple, Optional

import numpy as np

from ocr_lib.cores import usable_cores
from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import Share
from ocr_lib.feed.plan import Plan
from ocr_lib.feed.samples import Samples
from ocr_lib.feed.source import Batch
from ocr_lib.files import check_free, write_atomic
from ocr_lib.jobs.export import checked_model
from ocr_lib.net.manifest import Saved
from ocr_lib.preparation import pad
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.training.exchange import Exchange, broadcast, share_first
from ocr_lib.training.means import NAMES
from ocr_lib.training.progress import Progress
from ocr_lib.training.start import Start

if TYPE_CHECKING:
    from ocr_lib.training.crew import Crew
    from ocr_lib.training.log import Listener

logger = logging.getLogger(__name__)


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


class RunOptions(NamedTuple):
    """How a run is carried out, which changes no sample; as `train` has them."""

    prefix: str
    num_proc: Optional[int]
    cpus: Optional[int]
    gpus: int
    gradient_compression: str
    target_accuracy: float
    deadline: float
    export_on_end: bool
    log_dir: Path
    is_new: bool
    overwrite: bool
    dry_run: bool
    quiet: bool


def run(plan: Plan, start: Start, options: RunOptions, exchange: Exchange) -> Trained:
    """Carry out this machine's share of a run.

    Raises
    ------
    OCRError
        If the machines have different samples, there are too many of them, or training fails.
    """
    share, recipe = exchange.share, plan.recipe
    parts = len(share.of(recipe.training.parts))
    if not parts:
        raise OCRError(f"training.parts is {recipe.training.parts}: too few to share them among {share.size} machines")
    _check_same_samples(plan, exchange)
    # All processes start while MXNet loads.
    with plan.start_workers(options.num_proc) as pool, _crew(recipe, parts, options) as crew:
        from ocr_lib.feed.streams import training_parts, validation_batches
        from ocr_lib.training.store import Store
        from ocr_lib.training.trainer import Feed, Limits, Trainer

        store = Store(start.prefix, start.manifest)
        progress = store.progress() or Progress(plan.fonts, data=plan.data)
        _check_samples(plan, progress)
        _share_progress(exchange, progress)
        logger.info("Recipe %s on %s, %s", recipe.name, crew.description, plan.description)
        validation = validation_batches(plan, pool, share)
        batches = training_parts(plan, pool, progress.epoch, progress.batch, share)
        feed = Feed(batches, len(plan.bounds(0)), validation)
        pretrained = start.load_pretrained() if start.load_pretrained else None
        trainer = Trainer(crew, feed, store, progress, pretrained, exchange, options.gradient_compression)
        if options.export_on_end and share.rank == 0:
            checked_model(trainer.checkpoint(), Samples(*validation[0]))
        if pretrained:
            new = sorted(set(recipe.text.alphabet) - set(pretrained.recipe.text.alphabet))
            logger.info("New characters: %s", ", ".join(map(repr, new)) or "none")
        if options.dry_run:
            trainer.try_out()
            logger.info("Dry run: all is ready for %d epochs; nothing was written", recipe.training.epochs)
            return Trained(store.best())
        with _log(progress, options, share) as log:
            if start.prefix != options.prefix:
                store.branch(options.prefix)
            stopped = trainer.run(log, Limits(options.target_accuracy, options.deadline))
    if options.export_on_end and share.rank == 0 and not stopped:
        _export_best(options.prefix, validation)
    return Trained(store.best(), stopped)


def _crew(recipe: Recipe, parts: int, options: RunOptions) -> "Crew":
    from ocr_lib.training.crew import Crew

    if options.gpus:
        from ocr_lib.mx import contexts

        return Crew(recipe, min(len(contexts(options.gpus)), parts), options.gpus)
    processes = usable_cores() if options.cpus is None else options.cpus
    if processes > parts:
        logger.info(
            "training.parts is %d, so %d of %d cores compute: --set training.parts=%d is for all of them",
            *(recipe.training.parts, parts, processes, processes),
        )
    return Crew(recipe, min(processes, parts))


@contextlib.contextmanager
def _log(progress: Progress, options: RunOptions, share: Share) -> Iterator["Listener"]:
    """Open the log, which the first machine alone writes."""
    from ocr_lib.training.log import Listener, TrainingLog

    log = Listener()
    if share.rank == 0:
        log = TrainingLog(options.log_dir, progress.updates, options.quiet, fresh=options.is_new)
    try:
        yield log
    finally:
        log.close(progress.history)


def _share_progress(exchange: Exchange, progress: Progress) -> None:
    """Let all machines stand where the first one does."""
    counters = [progress.epoch, progress.batch, progress.updates]
    numbers = np.array([*counters, *np.ravel(progress.sums or np.zeros((len(NAMES), 2)))])
    share_first(exchange, "progress", numbers)
    progress.epoch, progress.batch, progress.updates = map(int, numbers[: len(counters)])
    progress.sums = numbers[len(counters) :].reshape(-1, 2).tolist() if progress.batch else []


def _export_best(prefix: str, validation: List[Batch]) -> None:
    from ocr_lib.net.checkpoint import load_checkpoint

    images, widths = pad([image[:, :width] for b in validation for image, width in zip(b.images, b.widths)])
    samples = Samples(images, [text for b in validation for text in b.texts], widths)
    path = _model_path(prefix)
    write_atomic(path, checked_model(load_checkpoint(prefix, "best"), samples).data)
    logger.info("Exported to %s", path)


def check_exportable(prefix: str, overwrite: bool, resume: bool) -> None:
    """Refuse to export to where something is, unless that may be replaced, or a run that goes on has exported it.

    Raises
    ------
    OCRError
        Naming it.
    """
    path = _model_path(prefix)
    check_free(path, overwrite or (resume and _is_model(path)))


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


def _check_same_samples(plan: Plan, exchange: Exchange) -> None:
    """Refuse to share a run on samples that are not the same on all machines."""
    digest = hashlib.sha256(repr((sorted(plan.fonts.items()), plan.data)).encode()).digest()
    differs = np.zeros(exchange.share.size)
    differs[exchange.share.rank] = broadcast(exchange, digest) != digest
    exchange.sum("machines with other samples", differs)
    if differs.any():
        ranks = ", ".join(map(str, np.flatnonzero(differs)))
        raise OCRError(
            f"{plan.source}: on rank {ranks} other samples lie there than on rank 0 (names, labels or fonts)"
        )
