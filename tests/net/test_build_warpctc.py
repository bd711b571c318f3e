"""Whole training symbols with warpctc: its cost and gradients are those of MXNet's own loss."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net import warpctc
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.settings import override
from tests.net.small_batches import (
    HEIGHT,
    ONE,
    WIDTH,
    assert_same_run,
    directions,
    random_batch,
    run,
    small_recipe,
)
from tests.small_network import random_params, save
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]


class StandIn(mx.operator.CustomOp):
    """MXNet's native WarpCTC operator as its documentation has it: probabilities forward, the loss's gradient back."""

    def __init__(self, steps, width):
        super().__init__()
        self.steps, self.width = steps, width

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], mx.nd.softmax(in_data[0], axis=1))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        rows, labels = in_data
        assert labels.dtype == np.int32
        logits = rows.reshape((self.steps, -1, rows.shape[1]))
        logits.attach_grad()
        with mx.autograd.record():
            cost = mx.nd.contrib.ctc_loss(logits, labels.reshape((-1, self.width)).astype("f"), blank_label="first")
        cost.backward()
        self.assign(in_grad[0], req[0], logits.grad.reshape(rows.shape))


@mx.operator.register("stand_in_for_native_warpctc")
class StandInProp(mx.operator.CustomOpProp):
    def __init__(self, input_length, label_length):
        super().__init__(need_top_grad=False)
        self.lengths = int(input_length), int(label_length)

    def list_arguments(self):
        return ["data", "label"]

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0]], []

    def infer_type(self, in_type):
        return [np.float32, np.int32], [np.float32], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return StandIn(*self.lengths)


class TestWarpCTC:
    @pytest.fixture
    def library(self):
        try:
            return warpctc.find_library()
        except OCRError as error:
            pytest.skip(str(error))

    @directions
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_same_cost_and_gradients_as_ctc(self, library, bidirectional, cell):
        settings = {"network__bidirectional": bidirectional, "network__cell": cell, "network__convolutions": ONE}
        one, other = (small_recipe(training__loss=loss, **settings) for loss in ("warpctc", "ctc"))
        params, batch = random_params(one), random_batch(6)
        assert_same_run(run(one, params, *batch), run(other, params, *batch))

    def test_native_operator_has_the_same_cost_and_gradients(self, monkeypatch):
        def native(data, label, input_length, label_length, name):
            sizes = {"input_length": input_length, "label_length": label_length}
            return mx.sym.Custom(data, label, op_type="stand_in_for_native_warpctc", name=name, **sizes)

        monkeypatch.setattr(mx.sym, "WarpCTC", native, raising=False)
        one, other = (small_recipe(training__loss=loss) for loss in ("warpctc", "ctc"))
        assert "warpctc_output" in training_symbol(one).get_internals().list_outputs()
        params, batch = random_params(other), random_batch(6)
        assert_same_run(run(one, params, *batch), run(other, params, *batch))

    def test_missing_library_is_told_before_training(self, monkeypatch, tmp_path):
        monkeypatch.setattr(warpctc, "load_library", warpctc.load_library.__wrapped__)
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
        with pytest.raises(OCRError, match=f"WARPCTC_PATH is {tmp_path}"):
            training_symbol(small_recipe(training__loss="warpctc"))

    def test_checkpoint_reads_where_the_library_is_absent(self, monkeypatch, tmp_path):
        monkeypatch.setattr(warpctc, "load_library", lambda: None)  # the graph is the same with it
        recipe = small_recipe(training__loss="warpctc")
        params = random_params(recipe)
        save(tmp_path / "net", recipe, params)
        assert '"op_type": "warpctc"' in (tmp_path / "net-symbol.json").read_text()
        images = np.rint(255 * np.random.default_rng(1).random((2, HEIGHT, WIDTH))).astype(np.uint8)
        data = images.transpose(0, 2, 1) / np.float32(255)
        expected = run(override(recipe, [("training.loss", "ctc")]), params, data, random_batch(2)[1])[0][0]
        np.save(tmp_path / "images.npy", images)
        program = """
import sys
import numpy as np
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
np.save(sys.argv[3], Reader(load_checkpoint(sys.argv[1])).probabilities(np.load(sys.argv[2])))
"""
        finished = subprocess.run(
            [sys.executable, "-c", program, *(str(tmp_path / name) for name in ("net", "images.npy", "found.npy"))],
            cwd=ROOT,
            env={**UNMEASURED, "WARPCTC_PATH": str(tmp_path / "nowhere")},
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr.decode()
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected.swapaxes(0, 1), atol=1e-5)
