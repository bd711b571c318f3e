"""The loss that libwarpctc computes as an operator of a graph."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net import warpctc
from tests.net.warpctc_batches import CLASSES, LABEL_WIDTH, TIME_STEPS, mxnet_loss, random_batch
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]


class Trainer:
    """A module whose data (N, T, C) are the logits, so that its input gradients are the loss's."""

    def __init__(self, loss, samples, contexts=None):
        logits = mx.sym.swapaxes(mx.sym.Variable("data"), dim1=0, dim2=1)  # (T, N, C)
        symbol = loss(logits, mx.sym.Variable("label"))
        self.module = mx.mod.Module(symbol, label_names=["label"], context=contexts or mx.cpu())
        shapes = [("data", (samples, TIME_STEPS, CLASSES))], [("label", (samples, LABEL_WIDTH))]
        self.module.bind(*shapes, inputs_need_grad=True)
        self.module.init_params()

    def step(self, logits, labels, out_grad=None):
        """Return the costs (N,) and the gradients (T, N, C)."""
        batch = mx.io.DataBatch([mx.nd.array(logits.swapaxes(0, 1))], [mx.nd.array(labels)])
        self.module.forward(batch, is_train=True)
        self.module.backward(None if out_grad is None else [mx.nd.array(out_grad)])
        (costs,), (gradients,) = self.module.get_outputs(), self.module.get_input_grads()
        return costs.asnumpy(), gradients.asnumpy().swapaxes(0, 1)


def scaled(loss):
    """Return a training head: MakeLoss over three quarters of the loss, its gradient halved."""
    return lambda logits, label: mx.sym.MakeLoss(0.75 * loss(logits, label), grad_scale=0.5)


def mxnet_symbol(logits, label):
    return mx.sym.contrib.ctc_loss(logits, label, blank_label="first")


def assert_close(actual, expected):
    for one, other in zip(actual, expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("library")
class TestSymbol:
    def test_module_agrees_with_mxnet(self):
        ours, theirs = (Trainer(scaled(loss), samples=8) for loss in (warpctc.warpctc_loss, mxnet_symbol))
        for batch in (random_batch(seed, 8) for seed in range(2)):
            assert_close(ours.step(*batch), theirs.step(*batch))

    def test_gradient_follows_each_samples_weight(self):
        batch, weights = random_batch(6, 4), np.array([1, 0, -2, 0.5], np.float32)
        costs, gradients = Trainer(warpctc.warpctc_loss, samples=4).step(*batch, out_grad=weights)
        expected_costs, expected_gradients = mxnet_loss(*batch)
        assert_close((costs, gradients), (expected_costs, expected_gradients * weights[:, np.newaxis]))

    def test_two_contexts_are_one(self):
        trainer = Trainer(scaled(warpctc.warpctc_loss), 8, contexts=[mx.cpu(0), mx.cpu(1)])
        single = Trainer(scaled(warpctc.warpctc_loss), 8)
        for batch in (random_batch(seed, 8) for seed in range(4)):
            assert_close(trainer.step(*batch), single.step(*batch))

    def test_batch_size_may_change(self):
        trainer = Trainer(warpctc.warpctc_loss, samples=6)
        for samples in 6, 2, 6, 9:
            batch, ones = random_batch(samples, samples), np.ones(samples)
            assert_close(trainer.step(*batch, out_grad=ones), mxnet_loss(*batch))

    def test_gradients_add_up(self):
        logits, labels = random_batch(7, 3)
        symbol = warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))
        args = {"data": mx.nd.array(logits), "label": mx.nd.array(labels)}
        grads = {name: mx.nd.ones_like(array) for name, array in args.items()}
        executor = symbol.bind(mx.cpu(), args, args_grad=grads, grad_req={"data": "add", "label": "write"})
        executor.forward(is_train=True)
        executor.backward([mx.nd.ones(3)])
        np.testing.assert_allclose(grads["data"].asnumpy(), 1 + mxnet_loss(logits, labels)[1], atol=1e-4)
        assert not grads["label"].asnumpy().any()

    def test_evaluation_computes_costs_only(self, monkeypatch):
        asked, compute = [], warpctc.Library.compute

        def spy(self, logits, labels, with_gradients=True):
            asked.append(with_gradients)
            return compute(self, logits, labels, with_gradients)

        monkeypatch.setattr(warpctc.Library, "compute", spy)
        logits, labels = (mx.nd.array(array) for array in random_batch(8, 3))
        for is_train in False, True:
            with mx.autograd.record(train_mode=is_train):
                mx.nd.Custom(logits, labels, op_type="warpctc").wait_to_read()
        assert asked == [False, True]

    def test_fault_in_a_batch_gives_no_costs_and_is_told(self, capfd):
        logits, labels = mx.nd.zeros((TIME_STEPS, 1, CLASSES)), mx.nd.full((1, LABEL_WIDTH), CLASSES)
        costs = mx.nd.Custom(logits, labels, op_type="warpctc")
        assert np.isnan(costs.asnumpy()).all()
        assert f"outside the {CLASSES} of the logits" in "".join(capfd.readouterr())

    def test_backward_after_evaluation_gives_no_gradients_and_is_told(self, capfd):
        logits, labels = (mx.nd.array(array) for array in random_batch(9, 3))
        logits.attach_grad()
        with mx.autograd.record(train_mode=False):
            costs = mx.nd.Custom(logits, labels, op_type="warpctc")
        costs.backward(train_mode=False)
        assert np.isnan(logits.grad.asnumpy()).all()
        assert "the forward pass was not for training" in "".join(capfd.readouterr())

    def test_name_and_shapes(self):
        symbol = warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))
        assert symbol.list_outputs() == ["ctc_loss_output"]
        assert symbol.infer_shape(data=(9, 3, 5), label=(3, 4))[1] == [(3,)]
        assert symbol.infer_shape_partial(label=(3, 4))[1] == [()]


def test_saved_graph_predicts_without_the_library(tmp_path):
    logits = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=CLASSES, flatten=False, name="pred_fc")
    loss = mx.sym.Custom(logits, op_type="warpctc", name="ctc_loss")
    mx.sym.MakeLoss(loss).save(str(tmp_path / "net-symbol.json"))
    program = """
import sys
from ocr_lib.mx import mx
import ocr_lib.net.warpctc
whole = mx.sym.load(sys.argv[1])
assert "ctc_loss_output" in whole.get_internals().list_outputs()
executor = whole.get_internals()["pred_fc_output"].simple_bind(mx.cpu(), data=(4, 2, 3))
print(executor.forward()[0].shape)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "net-symbol.json")],
        cwd=ROOT,
        env={**UNMEASURED, "WARPCTC_PATH": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stdout == f"(4, 2, {CLASSES})\n", result.stderr
