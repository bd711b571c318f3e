"""The training loop."""

import logging
import math
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.iterator import OCRIter
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.checkpoint import Checkpoint, split_params
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.metrics import EXACT
from ocr_lib.training.interrupt import StopRequest
from ocr_lib.training.log import TrainingLog
from ocr_lib.training.metrics import MeanCost, TextMetric, metric_sums, restore_sums
from ocr_lib.training.optimizer import clip_gradients, init_optimizer, optimizer_states, restore_states
from ocr_lib.training.progress import Epoch, Progress
from ocr_lib.training.store import Store
from ocr_lib.training.validation import Validation, validate
from ocr_lib.training.warm_start import Pretrained

logger = logging.getLogger(__name__)


class Limits(NamedTuple):
    """When to stop before the recipe's last epoch.

    Attributes
    ----------
    target_accuracy : float
        Once a validation reaches it.
    deadline : float
        Once `time.monotonic` is there; the epoch under way is cut short, and validated.
    """

    target_accuracy: float = math.inf
    deadline: float = math.inf


class Trainer:
    """Trains a recipe's network on a Module.

    Parameters
    ----------
    recipe : Recipe
    train : OCRIter
        Endless, beginning where `progress` stands.
    validation : OCRIter
        The fixed samples to validate on.
    store : Store
        Where checkpoints go, and where the one to resume lies.
    progress : Progress
        Where the run stands: at the beginning, or where the store's run stopped.
    contexts : list of mxnet.Context
        Devices; each batch is split among them.
    pretrained : Pretrained, optional
        Weights that a new run begins with.

    Raises
    ------
    OCRError
        If the loss is not to be had, or the stored arrays don't fit the network.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: OCRIter,
        validation: OCRIter,
        store: Store,
        progress: Progress,
        contexts: List["mx.Context"],
        pretrained: Optional[Pretrained] = None,
    ) -> None:
        self._recipe = recipe
        self._train_samples = train
        self._validation_samples = validation
        self._store = store
        self._progress = progress
        self._log: TrainingLog
        self._figures: Dict[str, float] = {}  # of the last validation, if the network is as it was then
        self._saved_updates = progress.updates
        mx.random.seed(recipe.seed)
        inputs = [description.name for description in train.provide_data]
        self._module = mx.mod.Module(training_symbol(recipe), inputs, ["label"], context=contexts)
        self._module.bind(train.provide_data, train.provide_label)
        arrays = store.last_arrays() if store.progress() else None
        self._init_params(arrays["params"] if arrays else None, pretrained)
        self._optimizer = init_optimizer(self._module, recipe.training, progress.updates)
        if arrays:
            restore_states(self._module, arrays["states"])
        self._metrics: List[mx.metric.EvalMetric] = [TextMetric(EXACT, recipe.alphabet), MeanCost()]
        if progress.sums:
            restore_sums(self._metrics, progress.sums)

    def checkpoint(self) -> Checkpoint:
        """Return the network as it is."""
        arg_params, aux_params = self._module.get_params()
        where = Path(f"{self._store.prefix} in training")
        return Checkpoint(self._module.symbol, arg_params, aux_params, self._recipe, where)

    def try_out(self) -> None:
        """Put a batch through the network and back, and change nothing: shapes fit, and the memory suffices."""
        self._module.forward_backward(self._train_samples.next())
        mx.nd.waitall()

    def run(self, log: TrainingLog, limits: Limits) -> Optional[str]:
        """Train until the recipe's epochs are done, a limit is reached or a signal comes.

        Parameters
        ----------
        log : TrainingLog
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
        if not self._store.progress():
            self._commit({}, is_best=False)
        with StopRequest() as stop:
            stopped = self._run_epochs(stop, limits)
            if self._saved_updates < self._progress.updates:
                self._log.saved(self._commit(self._figures, is_best=False))
        return stopped

    def _run_epochs(self, stop: StopRequest, limits: Limits) -> Optional[str]:
        progress, training = self._progress, self._recipe.training
        while progress.epoch < training.epochs:
            whole = self._train_epoch(lambda: bool(stop.signal) or time.monotonic() >= limits.deadline)
            if stop.signal and not whole:
                self._figures = {}
                return stop.signal.name
            self._validate(whole)
            if self._figures["accuracy"] >= limits.target_accuracy:
                logger.info("Reached the target accuracy of %g", limits.target_accuracy)
                return None
            if not whole or time.monotonic() >= limits.deadline:
                logger.info("The time budget is used up")
                return None
            if 0 < training.patience <= progress.since_best:
                logger.info("No better validation in %d epochs", progress.since_best)
                return None
            if stop.signal:
                return stop.signal.name
        return None

    def _init_params(self, params: Optional[Dict[str, "mx.nd.NDArray"]], pretrained: Optional[Pretrained]) -> None:
        if params is None:
            self._module.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
            if pretrained:
                parts = self._module.get_params()
                fresh = {name: array.asnumpy() for part in parts for name, array in part.items()}
                fitted = pretrained.fitted(fresh, self._recipe.text.alphabet)
                self._module.set_params(*({name: mx.nd.array(fitted[name]) for name in part} for part in parts))
            return
        arg_params, aux_params = split_params(params)
        try:
            self._module.init_params(arg_params=arg_params, aux_params=aux_params)
        except (mx.base.MXNetError, RuntimeError, ValueError) as error:
            raise OCRError(f"the checkpoint's parameters don't fit the recipe's network: {error}") from error

    def _train_epoch(self, stopping: Callable[[], bool]) -> bool:
        """Train to the end of the epoch; return whether it was reached."""
        progress, samples = self._progress, self._train_samples
        if not progress.batch:
            for metric in self._metrics:
                metric.reset()
        began, waited = time.perf_counter(), samples.wait_s
        self._log.begin_epoch(progress.epoch, samples.batches_per_epoch, progress.batch)
        try:
            for batch in samples:
                self._step(batch)
                if progress.batch < samples.batches_per_epoch and stopping():
                    break
        finally:
            self._log.end_batches()
        whole = progress.batch == samples.batches_per_epoch
        if whole:
            samples.reset()
            progress.epoch, progress.batch = progress.epoch + 1, 0
        self._log.trained(self._train_figures(), time.perf_counter() - began, samples.wait_s - waited)
        return whole

    def _step(self, batch: "mx.io.DataBatch") -> None:
        recipe, progress = self._recipe.training, self._progress
        samples = batch.data[0].shape[0]
        if self._recipe.network.dropout:  # a run that is resumed leaves out what it would have left out
            mx.random.seed(int(np.random.SeedSequence([self._recipe.seed, progress.updates]).generate_state(1)[0] >> 1))
        self._module.forward_backward(batch)
        self._optimizer.rescale_grad = 1 / samples
        if recipe.clip_norm:
            clip_gradients(self._module, recipe.clip_norm, self._optimizer.rescale_grad)
        self._module.update()
        outputs = self._module.get_outputs()
        for metric in self._metrics:
            metric.update(batch.label, outputs)
        progress.batch += 1
        progress.updates += 1
        figures = dict(metric.get() for metric in self._metrics)
        if not math.isfinite(figures["loss"]):
            raise OCRError(
                f"training diverged in epoch {progress.epoch}, batch {progress.batch}: the loss is {figures['loss']}. "
                "Lower --lr or set training.clip_norm; earlier checkpoints are kept"
            )
        if self._log.batch(progress.batch, samples, figures):
            for metric in self._metrics:
                metric.reset_local()

    def _validate(self, whole: bool) -> None:
        progress = self._progress
        validation = validate(self._module, self._validation_samples, self._recipe)
        self._figures = validation.figures
        is_best = self._is_best(validation)
        progress.since_best = 0 if is_best else progress.since_best + 1
        epoch = progress.epoch - whole
        history = [e for e in progress.history if e.epoch < epoch]
        progress.history = [*history, Epoch(epoch, progress.updates, self._train_figures(), validation.figures)]
        if is_best or progress.epoch % self._recipe.training.checkpoint_epochs == 0:
            self._log.saved(self._commit(self._figures, is_best))
        self._log.validated(validation, progress.history)

    def _is_best(self, validation: Validation) -> bool:
        best = self._store.best()
        figures = validation.figures
        return best is None or (figures["accuracy"], -figures["cer"]) > (best.metrics["accuracy"], -best.metrics["cer"])

    def _commit(self, figures: Dict[str, float], is_best: bool) -> Path:
        self._progress.sums = metric_sums(self._metrics) if self._progress.batch else []
        network = self.checkpoint()
        params = {f"arg:{name}": array for name, array in network.arg_params.items()}
        params.update((f"aux:{name}", array) for name, array in network.aux_params.items())
        arrays = {"params": params, "states": optimizer_states(self._module)}
        self._saved_updates = self._progress.updates
        return self._store.commit(self._recipe, self._module.symbol, arrays, self._progress, figures, is_best)

    def _train_figures(self) -> Dict[str, float]:
        return dict(metric.get_global() for metric in self._metrics)
