"""What a training run tells: log lines, a progress bar, TensorBoard events, a CSV and a picture of the curves."""

import csv
import io
import logging
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, Optional

from tensorboardX import SummaryWriter
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ocr_lib.files import atomic_path, write_atomic
from ocr_lib.training.progress import Epoch
from ocr_lib.training.validation import Validation

logger = logging.getLogger(__name__)

_ERRORS = 5  # that are told
BATCHES_PER_LINE = 50


class TrainingLog:
    """Writes the log of a run into a folder, and to the terminal.

    Parameters
    ----------
    directory : pathlib.Path
        For TensorBoard events, ``curves.csv``, ``curves.png`` and ``train.log``.
    updates : int
        From which parameter update on; later ones, left there by a run that was killed, are hidden.
    quiet : bool
        Show no progress bar.
    """

    def __init__(self, directory: Path, updates: int = 0, quiet: bool = False) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._events = SummaryWriter(str(directory), purge_step=updates)
        self._file = logging.FileHandler(directory / "train.log")
        self._file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logging.getLogger("ocr_lib").addHandler(self._file)
        self._show_bar = sys.stderr.isatty() and not quiet
        self._bar: Optional[tqdm[None]] = None
        self._while_bar_shows = ExitStack()

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
        for split, values in (("train", last.train), ("validation", figures)):
            for name, value in values.items():
                self._events.add_scalar(f"{split}/{name}", value, last.updates)
        self._events.flush()
        write_atomic(self._directory / "curves.csv", _csv(history))

    def close(self, history: List[Epoch]) -> None:
        """Draw the curves and release the files."""
        self.end_batches()
        if history:
            from ocr_lib.training.curves import draw_curves  # matplotlib is slow to import, and needed only now

            with atomic_path(self._directory / "curves.png") as temporary:
                draw_curves(history, temporary)
            logger.info("Curves of loss and accuracy: %s", self._directory / "curves.png")
        self._events.close()
        logging.getLogger("ocr_lib").removeHandler(self._file)
        self._file.close()


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
