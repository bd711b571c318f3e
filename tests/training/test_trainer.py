import csv
import itertools
import logging
import math
import os
import signal
import time

import numpy as np
import pytest

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import PartedBatch, even_bounds
from ocr_lib.feed.iterator import OCRIter
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.manifest import read_manifest
from ocr_lib.recipe.settings import override
from ocr_lib.training.crew import Crew
from ocr_lib.training.log import TrainingLog
from ocr_lib.training.progress import Progress
from ocr_lib.training.store import Store
from ocr_lib.training.trainer import Feed, Limits, Trainer
from ocr_lib.training.validation import is_better
from ocr_lib.training.warm_start import Pretrained
from tests.toy import toy_batches, toy_recipe


class Run:
    """A training run on rendered batches, in this process."""

    def __init__(self, tmp_path, *settings, batches=None, resume=False, pretrained=None):
        self.recipe = toy_recipe(*settings)
        self.prefix = str(tmp_path / "ocr")
        self.log_dir = tmp_path / "log"
        training = self.recipe.training
        cuts = even_bounds(training.epoch_size, training.batch_size, training.parts).tolist()
        self.batches = batches or [parted(self.recipe, bounds) for bounds in cuts]
        fixed = toy_batches(self.recipe, "validation", [range(start, start + 8) for start in range(0, 40, 8)])
        store = Store(self.prefix, read_manifest(self.prefix) if resume else None)
        self.progress = store.progress() or Progress()
        feed = Feed(self._begin(self.progress.epoch * len(cuts) + self.progress.batch), len(cuts), fixed)
        self.trainer = Trainer(Crew(self.recipe), feed, store, self.progress, pretrained)

    def _begin(self, done):
        for position in itertools.count(done):
            yield self.batches[position % len(self.batches)]

    def __call__(self, **limits):
        log = TrainingLog(self.log_dir, self.progress.updates)
        try:
            return self.trainer.run(log, Limits(**limits))
        finally:
            log.close(self.progress.history)


def parted(recipe, bounds):
    """Render a batch of the toy task by part."""
    parts = toy_batches(recipe, "train", [range(*pair) for pair in zip(bounds, bounds[1:])])
    return PartedBatch(bounds[-1] - bounds[0], dict(enumerate(parts)))


@pytest.fixture(autouse=True)
def _log_level(caplog):
    logger = logging.getLogger("ocr_lib")
    propagate, logger.propagate = logger.propagate, True
    caplog.set_level(logging.INFO, "ocr_lib")
    yield
    logger.propagate = propagate


def test_log_has_the_classic_lines_and_says_what_is_read(tmp_path, caplog):
    run = Run(tmp_path, ("training.epochs", 2), ("training.epoch_size", 8 * 55))
    assert run() is None
    lines = [record.getMessage() for record in caplog.records]
    speed = [line for line in lines if "Speed" in line]
    assert [line.split("\t")[0] for line in speed] == ["Epoch[0] Batch [50]", "Epoch[1] Batch [50]"]
    assert all("samples/sec\taccuracy=0." in line or "samples/sec\taccuracy=1." in line for line in speed)
    for start in ("Epoch[1] Train-accuracy=", "Epoch[1] Time cost=", "Epoch[1] Validation-accuracy="):
        assert sum(line.startswith(start) for line in lines) == 1, start
    assert f'Saved checkpoint to "{run.prefix}-0002.params"' in lines
    figures = next(line for line in lines if line.startswith("Epoch[0] Validation: "))
    assert all(f"{name}=" in figures for name in ("accuracy_lcs", "cer", "wer", "loss", "blank"))
    examples = next(line for line in lines if line.startswith("Epoch[0] Validation reads "))
    assert examples.count(" as ") == 3


def test_files_of_the_log(tmp_path):
    run = Run(tmp_path, ("training.epochs", 2))
    run()
    with (run.log_dir / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert [float(row["validation_cer"]) for row in rows] == [e.validation["cer"] for e in run.progress.history]
    picture = cv2.imread(str(run.log_dir / "curves.png"))
    assert picture.shape[0] > 200
    assert picture.std() > 5
    assert list(run.log_dir.glob("events.out.tfevents.*"))
    assert "Validation-accuracy" in (run.log_dir / "train.log").read_text()


@pytest.mark.parametrize("parts", [1, 3])
def test_a_partial_batch_counts_its_samples_once(tmp_path, parts):
    plain = [{"filters": 8, "batch_norm": False}]  # what is normalised differs from part to part
    settings = [("training.optimizer", "sgd"), ("training.epochs", 1), ("training.clip_norm", 0.0)]
    settings += [("training.parts", parts), ("network.convolutions", plain)]
    (eight,) = toy_batches(toy_recipe(), "train", [range(8)])
    batch = parted(toy_recipe(), [8 * part // parts for part in range(parts + 1)])
    run = Run(tmp_path, *settings, ("training.epoch_size", 8), ("training.batch_size", 32), batches=[batch])
    run()
    trained = load_checkpoint(run.prefix, 1)
    alone = mx.mod.Module(training_symbol(run.recipe), label_names=["label"])
    batch = OCRIter([eight], toy_recipe()).next()
    alone.bind(batch.provide_data, batch.provide_label)
    mx.random.seed(run.recipe.seed)
    alone.init_params(mx.init.Xavier(factor_type="in", magnitude=2.34))
    options = {"learning_rate": 0.02, "momentum": 0.9, "rescale_grad": 1 / 8}
    alone.init_optimizer(optimizer="sgd", optimizer_params=options)
    alone.forward_backward(batch)
    alone.update()
    for name, array in alone.get_params()[0].items():
        np.testing.assert_allclose(array.asnumpy(), trained.arg_params[name].asnumpy(), atol=1e-7, err_msg=name)


def test_begins_with_pretrained_weights_but_fresh_rows_for_new_characters(tmp_path):
    shapes = Run(tmp_path).trainer.checkpoint()
    rng = np.random.default_rng(0)
    weights = {
        name: rng.uniform(0.5, 1, array.shape).astype(np.float32)
        for part in (shapes.arg_params, shapes.aux_params)
        for name, array in part.items()
    }
    known = Pretrained(weights, toy_recipe())
    runs = [Run(tmp_path, ("text.alphabet", "+70"), pretrained=which) for which in (None, known)]
    fresh, begun = (numpy_weights(run.trainer.checkpoint()) for run in runs)
    assert set(begun) == set(weights)
    for name in ("pred_fc_weight", "pred_fc_bias"):
        np.testing.assert_array_equal(begun[name][[0, 2, 3]], weights.pop(name)[[0, 2, 1]])
        np.testing.assert_array_equal(begun[name][1], fresh[name][1])
    for name, array in weights.items():
        np.testing.assert_array_equal(begun[name], array, err_msg=name)


def test_lines_of_different_widths_are_trained_on(tmp_path):
    free = toy_recipe(("image.width", None))
    wide = override(free, [("captcha.width", 130)])
    batches = [parted(recipe, [start, start + 3, start + 8]) for start in range(0, 40, 8) for recipe in (free, wide)]
    assert {part.images.shape[2] for batch in batches for part in batch.parts.values()} == {
        21,
        35,
    }  # 32 and 64 with padding
    settings = [("image.width", None), ("training.epoch_size", 80), ("training.epochs", 4)]
    run = Run(tmp_path, *settings, batches=batches)
    assert run() is None
    history = run.progress.history
    assert history[-1].train["loss"] < 0.8 * history[0].train["loss"]
    assert history[-1].validation["loss"] < 0.9 * history[0].validation["loss"]
    again = Run(tmp_path, *settings[:2], ("training.epochs", 5), batches=batches, resume=True)
    assert again() is None
    assert len(again.progress.history) == 5
    assert again.progress.history[-1].train["loss"] < history[-1].train["loss"]


def test_stops_at_the_target(tmp_path, caplog):
    run = Run(tmp_path, ("training.epochs", 50))
    assert run(target_accuracy=0.3) is None
    history = run.progress.history
    assert history[-1].validation["accuracy"] >= 0.3
    assert all(epoch.validation["accuracy"] < 0.3 for epoch in history[:-1])
    assert "Reached the target accuracy of 0.3" in caplog.messages


def test_stops_when_the_time_is_up_and_validates(tmp_path, caplog):
    run = Run(tmp_path)
    assert run(deadline=time.monotonic()) is None
    manifest = read_manifest(run.prefix)
    assert [(saved.epoch, saved.batch) for saved in manifest.saved] == [(0, 1)]
    assert "accuracy" in manifest.saved[0].metrics
    assert "The time budget is used up" in caplog.messages


def test_stops_without_progress(tmp_path, caplog):
    settings = [("training.patience", 2), ("training.epochs", 50), ("training.learning_rate", 1e-12)]
    run = Run(tmp_path, *settings)
    run()
    accuracies = [e.validation["accuracy"] for e in run.progress.history]
    assert len(accuracies) == 3
    assert max(accuracies[1:]) <= accuracies[0]
    assert "No better validation in 2 epochs" in caplog.messages


def test_best_is_the_one_with_the_lowest_loss_among_the_most_accurate(tmp_path):
    run = Run(tmp_path, ("training.epochs", 8))
    run()
    history = run.progress.history
    assert read_manifest(run.prefix).find("best", run.prefix).epoch == best_so_far(history)[-1]
    assert len({e.validation["accuracy"] for e in history}) > 1


@pytest.mark.parametrize(
    "samples, first, second, expected",
    [
        (47, (46 / 47, 0.02), (1.0, 0.03), False),  # one image more says nothing
        (47, (46 / 47, 0.03), (1.0, 0.02), True),
        (47, (1.0, 0.02), (46 / 47, 0.01), True),
        (47, (40 / 47, 0.02), (1.0, 0.03), True),
        (94, (92 / 94, 0.18), (91 / 94, 0.16), True),
        (94, (92 / 94, 0.18), (89 / 94, 0.16), False),
        (5000, (0.97, 0.02), (0.98, 0.03), True),
        (5000, (0.98, 0.02), (0.98, 0.02), False),
        (5000, (0.98, 0.02), (0.979, 0.01), True),
        (5000, (0.98, 0.02), (0.977, 0.01), False),
    ],
)
def test_which_of_two_validations_is_better(samples, first, second, expected):
    before, after = ({"accuracy": accuracy, "loss": loss} for accuracy, loss in (first, second))
    assert is_better(after, before, max(first[0], second[0]), samples) == expected


def test_the_schedule_ends_with_the_time_budget(tmp_path):
    run = Run(tmp_path, ("training.epochs", 10_000), ("training.schedule", "cosine"))
    run(deadline=time.monotonic() + 4)
    updates = run.progress.updates
    assert 50 < updates < 10_000 * 26
    assert run.progress.position > 0.97 * 10_000 * 26


def best_so_far(history):
    """Return the epochs, counted from 1, whose validation was better than the best of those before."""
    found = []
    for number, epoch in enumerate(history, start=1):
        most = max(e.validation["accuracy"] for e in history[:number])
        if not found or is_better(epoch.validation, history[found[-1] - 1].validation, most, 40):
            found.append(number)
    return found


@pytest.mark.parametrize("every", [1, 2, 3, 9])
def test_checkpoints_come_after_so_many_epochs_and_of_the_best_and_in_the_end(tmp_path, every):
    settings = [("training.checkpoint_epochs", every), ("training.keep", 0), ("training.epoch_size", 96)]
    run = Run(tmp_path, *settings, ("training.epochs", 7))
    run()
    manifest, history = read_manifest(run.prefix), run.progress.history
    wanted = {7, *range(every, 8, every), *best_so_far(history)}
    assert {saved.epoch for saved in manifest.saved} == wanted
    assert len(best_so_far(history)) > 1
    assert manifest.last == "-0007.params" and (tmp_path / "ocr-0007.states").exists()
    for saved in manifest.saved:
        assert saved.metrics == history[saved.epoch - 1].validation


@pytest.mark.parametrize("keep", [1, 3])
def test_so_many_are_kept_and_the_best(tmp_path, keep):
    run = Run(tmp_path, ("training.keep", keep), ("training.epochs", 6), ("training.epoch_size", 64))
    run()
    best = max(best_so_far(run.progress.history))
    kept = sorted({best, *range(7 - keep, 7)})
    assert sorted(path.name for path in tmp_path.glob("*.params")) == [f"ocr-{epoch:04d}.params" for epoch in kept]
    assert load_checkpoint(run.prefix, "best").params_path.name == f"ocr-{best:04d}.params"


def test_divergence_is_named_and_earlier_checkpoints_stay(tmp_path):
    run = Run(tmp_path, ("training.optimizer", "sgd"), ("training.learning_rate", 1e30), ("training.clip_norm", 0.0))
    with pytest.raises(OCRError, match=r"diverged in epoch 0, batch \d+: the loss is (nan|inf)"):
        run()
    assert load_checkpoint(run.prefix, "last").arg_params


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_amidst_an_epoch_and_resuming_goes_on(tmp_path, number):
    class Interrupting(list):
        def __getitem__(self, position):
            if self.armed and position == 5:
                self.armed = False
                os.kill(os.getpid(), number)
            return super().__getitem__(position)

    whole_run = Run(tmp_path / "whole")
    whole_run()
    batches = Interrupting(whole_run.batches)
    batches.armed = True
    first = Run(tmp_path, batches=batches)
    before = signal.getsignal(number)
    assert first() == number.name
    assert signal.getsignal(number) is before
    assert read_manifest(first.prefix).last == "-0000-batch000006.params"
    second = Run(tmp_path, batches=batches, resume=True)
    assert second() is None
    assert not list(tmp_path.glob("*batch*"))
    ends = [load_checkpoint(run.prefix, "last").arg_params for run in (whole_run, second)]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(ends[1][name].asnumpy(), array.asnumpy(), err_msg=name)
    train = [[epoch.train["loss"] for epoch in run.progress.history] for run in (whole_run, second)]
    assert train[1] == train[0]
    assert math.isfinite(train[0][0])
