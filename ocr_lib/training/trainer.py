"""The training loop."""

import logging
import math
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import PartedBatch
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.checkpoint import Arrays, Checkpoint
from ocr_lib.training.compression import batch_sums
from ocr_lib.training.crew import Crew
from ocr_lib.training.exchange import GRADIENT_COMPRESSIONS, Alone, Exchange, share_first
from ocr_lib.training.initial import fill, initial_weights, with_steps
from ocr_lib.training.interrupt import StopRequest
from ocr_lib.training.layout import is_average
from ocr_lib.training.log import Listener
from ocr_lib.training.means import Means
from ocr_lib.training.optimizer import Optimizer, clipped
from ocr_lib.training.pace import Pace, duration
from ocr_lib.training.progress import Epoch, Progress
from ocr_lib.training.store import Store
from ocr_lib.training.validation import Validation, is_better, validation
from ocr_lib.training.warm_start import Pretrained

logger = logging.getLogger(__name__)


class Limits(NamedTuple):
    """When to stop before the recipe's last epoch.

    Attributes
    ----------
    target_accuracy : float
        Once a validation reaches it.
    deadline : float
        When `time.monotonic` is there the epoch under way is cut short, and validated; the schedule of the learning
        rate ends by then.
    """

    target_accuracy: float = math.inf
    deadline: float = math.inf


class Feed(NamedTuple):
    """What a network is trained and validated on.

    Attributes
    ----------
    batches : iterator of PartedBatch
        Endless, beginning where the run stands.
    batches_per_epoch : int
    validation : list of Batch
        The fixed samples to validate on.
    """

    batches: Iterator[PartedBatch]
    batches_per_epoch: int
    validation: List[Batch]


class Trainer:
    """Trains a recipe's network.

    Parameters
    ----------
    crew : Crew
        What computes the recipe's network.
    feed : Feed
    store : Store
        Where checkpoints go, and where the one to resume lies.
    progress : Progress
        Where the run stands: at the beginning, or where the store's run stopped.
    pretrained : Pretrained, optional
        Weights that a new run begins with.
    exchange : Exchange, optional
        With the machines that share the run; the first one's store, progress and weights count.
    compression : str
        How gradients are exchanged, one of `ocr_lib.training.exchange.GRADIENT_COMPRESSIONS`.

    Raises
    ------
    OCRError
        If the loss is not to be had, or the stored arrays don't fit the network.
    """

    def __init__(
        self,
        crew: Crew,
        feed: Feed,
        store: Store,
        progress: Progress,
        pretrained: Optional[Pretrained] = None,
        exchange: Optional[Exchange] = None,
        compression: str = GRADIENT_COMPRESSIONS[0],
    ) -> None:
        self._recipe = crew.recipe
        self._crew = crew
        self._feed = feed
        self._store = store
        self._progress = progress
        self._exchange = exchange or Alone()
        self._sums = batch_sums(self._exchange, crew.layout, compression)
        self._log: Listener
        self._pace: Pace
        self._is_forecast = False
        self._figures: Dict[str, float] = {}  # of the last validation, if the network is as it was then
        self._saved_updates = progress.updates
        self._symbol = training_symbol(self._recipe)
        self._optimizer = Optimizer(self._recipe.training, crew.layout, feed.batches_per_epoch, progress.updates)
        self._weights = crew.layout.views(crew.state)
        self._begin(pretrained)
        self._means = Means(progress.sums)

    def checkpoint(self) -> Checkpoint:
        """Return the network as it is."""
        parts: Tuple[Arrays, Arrays] = ({}, {})
        for name, array in self._weights.items():
            parts[is_average(name)][name] = mx.nd.array(array)
        return Checkpoint(self._symbol, *parts, self._recipe, Path(f"{self._store.prefix} in training"))

    def try_out(self) -> None:
        """Put a batch through the network and back, and change nothing: shapes fit, and the memory suffices."""
        self._crew.train(next(self._feed.batches), self._progress.updates)

    def run(self, log: Listener, limits: Limits) -> Optional[str]:
        """Train until the recipe's epochs are done, a limit is reached or a signal comes.

        Parameters
        ----------
        log : Listener
            What to tell of it.
        limits : Limits

        Returns
        -------
        str or None
            The name of the signal that stopped it, if one did.

        Raises
        ------
        OCRError
            If the loss is no longer a number.
        """
        self._log = log
        position = self._progress.updates if self._progress.position is None else self._progress.position
        updates = self._recipe.training.epochs * self._feed.batches_per_epoch
        self._pace, self._is_timed = Pace(updates, position, limits.deadline), limits.deadline < math.inf
        if not self._store.progress():
            self._commit({}, is_best=False)
        with StopRequest() as stop:
            stopped = self._run_epochs(stop, limits)
            if self._saved_updates < self._progress.updates:
                self._commit(self._figures, is_best=False)
        return stopped

    def _run_epochs(self, stop: StopRequest, limits: Limits) -> Optional[str]:
        while self._progress.epoch < self._recipe.training.epochs:
            whole = self._train_epoch(lambda: bool(stop.signal) or time.monotonic() >= limits.deadline)
            if whole or not self._agreed(bool(stop.signal)):
                self._validate(whole)
                if not self._agreed(self._is_over(whole, limits) or bool(stop.signal)):
                    continue
            else:
                self._figures = {}
            return stop.signal.name if stop.signal else None
        return None

    def _is_over(self, whole: bool, limits: Limits) -> bool:
        """Whether a validation was the last one, and why."""
        progress, patience = self._progress, self._recipe.training.patience
        if self._figures["accuracy"] >= limits.target_accuracy:
            logger.info("Reached the target accuracy of %g", limits.target_accuracy)
        elif not whole or time.monotonic() >= limits.deadline:
            logger.info("The time budget is used up")
        elif 0 < patience <= progress.since_best:
            logger.info("No better validation in %d epochs", progress.since_best)
        else:
            return False
        return True

    def _agreed(self, answer: bool) -> bool:
        """Return whether any machine says yes."""
        answers = np.array([answer], np.float64)
        self._exchange.sum("answers", answers)
        return bool(answers[0])

    def _begin(self, pretrained: Optional[Pretrained]) -> None:
        """Make the network what the run begins with."""
        if self._store.progress():
            arrays = self._store.last_arrays()
            params = {name.partition(":")[2]: array for name, array in arrays["params"].items()}
            missing = self._weights.keys() - params.keys()
            if missing:
                raise OCRError(f"the checkpoint's parameters don't fit the recipe's network: {min(missing)} is missing")
            fill(self._weights, params)
            fill(self._optimizer.states, arrays["states"])
        else:
            fresh = initial_weights(self._recipe)
            weights = pretrained.fitted(fresh, self._recipe) if pretrained else fresh
            fill(self._weights, with_steps(self._recipe, weights, self._feed.validation))
        for number, vector in enumerate([self._crew.state, *self._optimizer.vectors]):
            share_first(self._exchange, f"state {number}", vector)

    def _train_epoch(self, stopping: Callable[[], bool]) -> bool:
        """Train to the end of the epoch; return whether it was reached."""
        progress, batches_per_epoch = self._progress, self._feed.batches_per_epoch
        if not progress.batch:
            self._means = Means()
        began, waited = time.perf_counter(), 0.0
        self._log.begin_epoch(progress.epoch, batches_per_epoch, progress.batch)
        try:
            while progress.batch < batches_per_epoch:
                asked = time.perf_counter()
                batch = next(self._feed.batches)
                waited += time.perf_counter() - asked
                if self._step(batch, stopping) and progress.batch < batches_per_epoch:
                    break
        finally:
            self._log.end_batches()
        whole = progress.batch == batches_per_epoch
        if whole:
            progress.epoch, progress.batch = progress.epoch + 1, 0
        self._log.trained(self._means.of_epoch(), time.perf_counter() - began, waited)
        return whole

    def _step(self, batch: PartedBatch, stopping: Callable[[], bool]) -> bool:
        """Train on a batch; return whether a machine wishes to stop."""
        progress = self._progress
        sums = self._crew.train(batch, progress.updates, stopping)
        progress.batch += 1
        self._sums.sum(sums.vector, whole=progress.batch == self._feed.batches_per_epoch)
        self._means.add(batch.samples, [sums.right, sums.cost])
        if not math.isfinite(sums.cost):
            raise OCRError(
                f"training diverged in epoch {progress.epoch}, batch {progress.batch}: the loss is "
                f"{sums.cost / batch.samples}. Lower --lr or set training.clip_norm; earlier checkpoints are kept"
            )
        trained = self._crew.layout.trained
        rescale = clipped(sums.vector[:trained], 1 / batch.samples, self._recipe.training.clip_norm)
        self._optimizer.update(self._crew.state, sums.vector, rescale, self._advanced())
        self._crew.state[trained:] = sums.vector[trained : self._crew.layout.size]
        progress.updates += 1
        self._forecast()
        if self._log.batch(progress.batch, batch.samples, self._means.since_line()):
            self._means.begin_line()
        return sums.stopping

    def _advanced(self) -> float:
        """Return where the next update stands on the schedule: on all machines where it does on the first."""
        position = np.array([self._pace.advance(self._progress.updates)])
        if self._is_timed and self._exchange.share.size > 1:
            share_first(self._exchange, "position", position)
        self._pace.position = self._progress.position = float(position[0])
        return self._progress.position

    def _forecast(self) -> None:
        """Tell once how long the run will take."""
        seconds = None if self._is_forecast else self._pace.forecast(self._progress.updates)
        if seconds is not None:
            logger.info("The %d epochs end in about %s", self._recipe.training.epochs, duration(seconds))
            self._is_forecast = True

    def _validate(self, whole: bool) -> None:
        progress = self._progress
        samples = self._feed.validation
        parts = list(self._crew.validate(samples, progress.updates))
        found = validation([text for batch in samples for text in batch.texts], parts, self._exchange)
        self._figures = found.figures
        epoch = progress.epoch - whole
        history = [e for e in progress.history if e.epoch < epoch]
        progress.history = [*history, Epoch(epoch, progress.updates, self._means.of_epoch(), found.figures)]
        is_best = self._is_best(found)
        progress.since_best = 0 if is_best else progress.since_best + 1
        if is_best or progress.epoch % self._recipe.training.checkpoint_epochs == 0:
            self._commit(self._figures, is_best)
        self._log.validated(found, progress.history)

    def _is_best(self, found: Validation) -> bool:
        best, samples = self._store.best(), self._recipe.training.validation_size
        most = max(epoch.validation["accuracy"] for epoch in self._progress.history)
        return best is None or is_better(found.figures, best.metrics, most, samples)

    def _commit(self, figures: Dict[str, float], is_best: bool) -> None:
        """Write a checkpoint, on the first machine."""
        self._saved_updates = self._progress.updates
        if self._exchange.share.rank:
            return
        self._progress.sums = self._means.sums if self._progress.batch else []
        network = self.checkpoint()
        params = {f"arg:{name}": array for name, array in network.arg_params.items()}
        params.update((f"aux:{name}", array) for name, array in network.aux_params.items())
        states = {name: mx.nd.array(array) for name, array in self._optimizer.states.items()}
        arrays = {"params": params, "states": states}
        path = self._store.commit(self._recipe, self._symbol, arrays, self._progress, figures, is_best)
        if self._progress.updates:
            self._log.saved(path)
