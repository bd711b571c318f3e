"""What a training run tells: log lines, a progress bar, TensorBoard events, a CSV and a picture of the curves."""

import contextlib
import csv
import io
import logging
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ocr_lib.errors import OCRError, naming
from ocr_lib.files import atomic_path, write_atomic
from ocr_lib.training.claim import claimed
from ocr_lib.training.events import EventFile
from ocr_lib.training.progress import Epoch
from ocr_lib.training.validation import Validation

logger = logging.getLogger(__name__)

_ERRORS = 5  # that are told
BATCHES_PER_LINE = 50


class Listener:
    """Hears what a run does and tells nobody, as on machines other than the first that shares it."""

    def begin_epoch(self, epoch: int, batches: int, done: int) -> None:
        """Begin an epoch of `batches` batches, of which some are done."""

    def batch(self, batch: int, samples: int, figures: Dict[str, float]) -> bool:
        """Note that a batch of some samples is done; return whether that gave a log line, of `figures`."""
        return False

    def end_batches(self) -> None:
        """Note that no more batches come for now."""

    def trained(self, figures: Dict[str, float], seconds: float, waited: float) -> None:
        """Tell of the training part of an epoch."""

    def saved(self, path: Path) -> None:
        """Tell of a checkpoint."""

    def validated(self, validation: Validation, history: List[Epoch]) -> None:
        """Tell of a validation, and bring files up to date with the history that it ends."""

    def close(self, history: List[Epoch]) -> None:
        """Release what it holds."""


class TrainingLog(Listener):
    """Writes the log of a run into a folder, and to the terminal.

    A disk that is full, or goes away, ends no run: a warning says once that the logs are incomplete.

    Parameters
    ----------
    directory : pathlib.Path
        For TensorBoard events, ``curves.csv``, ``curves.png`` and ``train.log``.
    updates : int
        From which parameter update on; later ones, left there by a run that was killed, are hidden.
    quiet : bool
        Show no progress bar.
    fresh : bool
        Begin ``train.log`` anew, rather than at its end.

    Raises
    ------
    OCRError
        If there can be no such files, or another run is writing them.
    """

    def __init__(self, directory: Path, updates: int = 0, quiet: bool = False, fresh: bool = False) -> None:
        self._directory = directory
        self._is_complete = True
        with contextlib.ExitStack() as stack:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                stack.enter_context(claimed(directory))
                self._events = EventFile(directory, updates)
                file = _LogFile(directory / "train.log", fresh, self._warn)
            except OSError as error:
                message = (
                    f"{directory}: no logs can be written there ({error.strerror}): --log-dir names another folder"
                )
                raise OCRError(message) from error
            stack.callback(file.close)
            stack.enter_context(_heard_by(file))
            self._while_open = stack.pop_all()
        self._show_bar = sys.stderr.isatty() and not quiet
        self._bar: Optional[tqdm[None]] = None
        self._while_bar_shows = contextlib.ExitStack()

    def begin_epoch(self, epoch: int, batches: int, done: int) -> None:
        """Begin an epoch of `batches` batches, of which some are done."""
        self._epoch = epoch
        self._tick = time.perf_counter()
        self._samples = 0
        if self._show_bar:
            self._while_bar_shows.enter_context(logging_redirect_tqdm([logging.getLogger("ocr_lib")]))
            bar = tqdm(total=batches, initial=done, desc=f"Epoch {epoch}", unit="batch", leave=False)
            self._bar = self._while_bar_shows.enter_context(bar)

    def batch(self, batch: int, samples: int, figures: Dict[str, float]) -> bool:
        """Note that a batch of some samples is done; return whether that gave a log line, of `figures`."""
        self._samples += samples
        if self._bar is not None:
            self._bar.update()
            self._bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
        if batch % BATCHES_PER_LINE:
            return False
        now = time.perf_counter()
        shown = "\t".join(f"{name}={value:f}" for name, value in figures.items())
        speed = self._samples / (now - self._tick)
        logger.info("Epoch[%d] Batch [%d]\tSpeed: %.2f samples/sec\t%s", self._epoch, batch, speed, shown)
        self._tick, self._samples = now, 0
        return True

    def end_batches(self) -> None:
        """Take the progress bar away."""
        self._while_bar_shows.close()
        self._bar = None

    def trained(self, figures: Dict[str, float], seconds: float, waited: float) -> None:
        """Tell of the training part of an epoch."""
        for name, value in figures.items():
            logger.info("Epoch[%d] Train-%s=%f", self._epoch, name, value)
        logger.info("Epoch[%d] Time cost=%.3f", self._epoch, seconds)
        logger.info("Epoch[%d] Waited for data: %.1f%% of the time", self._epoch, 100 * waited / max(seconds, 1e-9))

    def saved(self, path: Path) -> None:
        """Tell of a checkpoint."""
        logger.info('Saved checkpoint to "%s"', path)

    def validated(self, validation: Validation, history: List[Epoch]) -> None:
        """Tell of a validation, and bring the files up to date with the history that it ends."""
        figures = validation.figures
        logger.info("Epoch[%d] Validation-accuracy=%f", self._epoch, figures["accuracy"])
        rest = "\t".join(f"{name}={value:f}" for name, value in figures.items() if name != "accuracy")
        logger.info("Epoch[%d] Validation: %s", self._epoch, rest)
        shown = ", ".join(f"{text!r} as {read!r}" for text, read in validation.examples)
        logger.info("Epoch[%d] Validation reads %s", self._epoch, shown)
        if figures["blank"] > 0.999:
            logger.info("Epoch[%d] Nothing but blanks so far, as at first with CTC: the loss should fall", self._epoch)
        elif validation.confusions:
            errors = ", ".join(f"{error} ({error.count} times)" for error in validation.confusions[:_ERRORS])
            logger.info("Epoch[%d] Validation errors, most frequent first: %s", self._epoch, errors)
        last = history[-1]
        splits = {"train": last.train, "validation": figures}
        tags = {f"{split}/{name}": value for split, values in splits.items() for name, value in values.items()}
        with self._going_on(), naming(self._events.path):
            self._events.add(tags, last.updates)
        with self._going_on():
            write_atomic(self._directory / "curves.csv", _csv(history))

    def close(self, history: List[Epoch]) -> None:
        """Draw the curves and release the files."""
        self.end_batches()
        if history:
            from ocr_lib.training.curves import draw_curves  # matplotlib is slow to import, and needed only now

            path = self._directory / "curves.png"
            with self._going_on():
                with atomic_path(path) as temporary:
                    draw_curves(history, temporary)
                logger.info("Curves of loss and accuracy: %s", path)
        with self._going_on(), naming(self._events.path):
            self._events.close()
        self._while_open.close()

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        try:
            yield
        except OCRError as error:
            self._warn(error)

    def _warn(self, error: OCRError) -> None:
        if self._is_complete:
            self._is_complete = False
            logger.warning("The logs of this run are incomplete: %s", error)


@contextlib.contextmanager
def _heard_by(handler: logging.Handler) -> Iterator[None]:
    """Let a handler hear what is told of a run, also where the program wants to hear of warnings alone."""
    package = logging.getLogger("ocr_lib")
    level, propagate, wanted = package.level, package.propagate, package.getEffectiveLevel()
    parents = _Parents(wanted)
    package.addHandler(handler)
    if wanted > logging.INFO:
        package.setLevel(logging.INFO)
        package.propagate = False
        if propagate:
            package.addHandler(parents)
    try:
        yield
    finally:
        package.setLevel(level)
        package.propagate = propagate
        package.removeHandler(handler)
        package.removeHandler(parents)


class _Parents(logging.Handler):
    """Hands messages of a level on, as propagating does with those of all levels."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().callHandlers(record)


class _LogFile(logging.StreamHandler):
    """Appends to a log file, and hands over what keeps it from that."""

    def __init__(self, path: Path, fresh: bool, warn: Callable[[OCRError], None]) -> None:
        # Names of files in messages need not be text.
        super().__init__(path.open("w" if fresh else "a", encoding="utf-8", errors="backslashreplace"))
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._path = path
        self._warn = warn

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Tell of a file that takes no more; what else is wrong is wrong with the message."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._warn(OCRError(f"{self._path}: {error.strerror}"))
        else:
            super().handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is tried again
            self.stream.close()
        super().close()


def _csv(history: List[Epoch]) -> bytes:
    rows = [
        {
            "epoch": epoch.epoch,
            "updates": epoch.updates,
            **{f"train_{name}": value for name, value in epoch.train.items()},
            **{f"validation_{name}": value for name, value in epoch.validation.items()},
        }
        for epoch in history
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
