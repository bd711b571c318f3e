import ctypes.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net import warpctc

ROOT = Path(__file__).resolve().parents[2]
TIME_STEPS, CLASSES, LABEL_WIDTH = 12, 5, 4


@pytest.fixture(scope="module")
def library():
    try:
        return warpctc.Library(warpctc.find_library())
    except OCRError as error:
        pytest.skip(str(error))


@pytest.fixture
def not_loaded(monkeypatch):
    """A process that has not looked for the library yet."""
    monkeypatch.setattr(warpctc, "load_library", warpctc.load_library.__wrapped__)


@pytest.fixture
def no_library(monkeypatch, not_loaded):
    """A machine without WARPCTC_PATH, system library and paddle."""
    monkeypatch.delenv("WARPCTC_PATH", raising=False)
    monkeypatch.setattr(warpctc, "find_system_library", lambda name: None)
    monkeypatch.setattr(warpctc.importlib.util, "find_spec", lambda name: None)


def random_batch(seed, samples, time_steps=TIME_STEPS, classes=CLASSES, label_width=LABEL_WIDTH):
    """Return logits (T, N, C) and labels (N, L) of random lengths, from 0 up, that fit into the time steps."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((samples, label_width), np.float32)
    for row in labels:
        digits = rng.integers(1, classes, rng.integers(0, label_width + 1))
        if len(digits) + np.count_nonzero(digits[1:] == digits[:-1]) <= time_steps:
            row[: len(digits)] = digits
    return rng.normal(0, 3, (time_steps, samples, classes)).astype(np.float32), labels


def mxnet_loss(logits, labels):
    """Return the costs and gradients of MXNet's own operator."""
    data = mx.nd.array(logits)
    data.attach_grad()
    with mx.autograd.record():
        costs = mx.nd.contrib.ctc_loss(data, mx.nd.array(labels), blank_label="first")
    costs.backward()
    return costs.asnumpy(), data.grad.asnumpy()


class TestCompute:
    @pytest.mark.parametrize(
        "time_steps, classes, label_width", [(80, 11, 4), (9, 2, 5), (6, 3, 4), (2, 4, 2), (1, 5, 1)]
    )
    def test_agrees_with_mxnet(self, library, time_steps, classes, label_width):
        for seed in range(3):
            batch = random_batch(seed, 24, time_steps, classes, label_width)
            costs, gradients = library.compute(*batch)
            expected_costs, expected_gradients = mxnet_loss(*batch)
            assert costs.dtype == gradients.dtype == np.float32
            np.testing.assert_allclose(costs, expected_costs, rtol=1e-5, atol=1e-4)
            np.testing.assert_allclose(gradients, expected_gradients, atol=1e-4)

    def test_cost_of_hand_counted_paths(self, library):
        # Of the four paths through two even classes, "11", "01" and "10" read as the label, and "00" as nothing.
        costs, _ = library.compute(np.zeros((2, 2, 2)), np.array([[1], [0]]))
        np.testing.assert_allclose(costs, -np.log([3 / 4, 1 / 4]), rtol=1e-6)

    def test_gradients_are_finite_differences(self, library):
        logits, _ = random_batch(1, 2, time_steps=4, classes=3)
        logits, labels, step = logits / 3, np.array([[1, 1], [2, 0]]), 1e-2
        _, gradients = library.compute(logits, labels)
        for place in np.ndindex(logits.shape):
            nudge = np.zeros_like(logits)
            nudge[place] = step
            upper, lower = (library.compute(logits + sign * nudge, labels)[0].sum() for sign in (1, -1))
            assert gradients[place] == pytest.approx((upper - lower) / (2 * step), abs=1e-3)

    def test_label_that_does_not_fit_is_ignored(self, library):
        logits, _ = random_batch(2, 2, time_steps=2)
        costs, gradients = library.compute(logits, np.array([[3, 3], [3, 2]]))
        np.testing.assert_array_equal(costs > 0, [False, True])
        np.testing.assert_array_equal(gradients.any(axis=(0, 2)), [False, True])

    def test_costs_alone_are_the_same(self, library):
        batch = random_batch(3, 8)
        costs, gradients = library.compute(*batch, with_gradients=False)
        assert gradients is None
        np.testing.assert_allclose(costs, library.compute(*batch)[0], rtol=1e-5)

    def test_any_layout_and_type_of_array(self, library):
        logits, labels = random_batch(4, 8)
        strided = np.asfortranarray(logits.astype(np.float64))
        np.testing.assert_array_equal(library.compute(strided, labels.tolist())[1], library.compute(logits, labels)[1])

    def test_repeats_bit_for_bit_with_any_thread_count(self, library, monkeypatch):
        batch = random_batch(5, 32)
        results = []
        for threads in "1", "1", "3":
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            results.append(library.compute(*batch))
        for costs, gradients in results[1:]:
            np.testing.assert_array_equal(costs, results[0][0])
            np.testing.assert_array_equal(gradients, results[0][1])

    @pytest.mark.parametrize(
        "shape, labels, message",
        [
            ((3, 2), [[1], [1]], r"logits \(T, N, C\)"),
            ((3, 2, 4), [1, 2], r"labels \(N, L\)"),
            ((3, 2, 4), [[1], [2], [3]], r"not \(3, 2, 4\) and \(3, 1\)"),
            ((3, 2, 4), [[1], [4]], "class 1 or 4, outside the 4"),
            ((3, 2, 4), [[-1], [2]], "class -1 or 2"),
            ((3, 2, 0), [[], []], "libwarpctc failed: invalid value"),
        ],
    )
    def test_impossible_input_is_refused(self, library, shape, labels, message):
        with pytest.raises(OCRError, match=message):
            library.compute(np.zeros(shape), np.array(labels))


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


class TestFindLibrary:
    @pytest.mark.parametrize("folder", ["", "build", "lib"])
    @pytest.mark.parametrize("name", ["libwarpctc.so", "libwarpctc.dylib"])
    def test_path_variable_names_a_folder(self, monkeypatch, tmp_path, folder, name):
        file = tmp_path / folder / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
        assert Path(warpctc.find_library()) == file

    def test_path_variable_names_a_file_and_comes_first(self, monkeypatch, tmp_path):
        file = tmp_path / "mine.so"
        file.touch()
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: "libwarpctc.so.2")
        monkeypatch.chdir(tmp_path)
        for given in file, file.name:
            monkeypatch.setenv("WARPCTC_PATH", str(given))
            assert warpctc.find_library() == str(file)

    def test_path_variable_to_nowhere_is_an_error(self, monkeypatch, tmp_path):
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: "libwarpctc.so.2")
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path / "nowhere"))
        with pytest.raises(OCRError, match=r"WARPCTC_PATH is .*nowhere, but there is no libwarpctc\.so"):
            warpctc.find_library()

    def test_system_comes_before_paddle_which_is_not_imported(self, monkeypatch, tmp_path):
        file = tmp_path / "paddle" / "libs" / "libwarpctc.so"
        file.parent.mkdir(parents=True)
        file.touch()
        (tmp_path / "paddle" / "__init__.py").write_text("raise AssertionError('paddle was imported')\n")
        monkeypatch.delenv("WARPCTC_PATH", raising=False)
        monkeypatch.delitem(sys.modules, "paddle", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: None)
        assert Path(warpctc.find_library()) == file
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: f"lib{name}.so.2")
        assert warpctc.find_library() == "libwarpctc.so.2"

    def test_nothing_installed_says_what_to_install(self, no_library):
        with pytest.raises(OCRError, match=r"pip install 'ocr-lib\[warpctc\]'.*WARPCTC_PATH"):
            warpctc.find_library()

    def test_graph_is_not_built_without_a_library(self, no_library):
        with pytest.raises(OCRError, match="not installed"):
            warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))


class TestLibrary:
    def test_text_file_is_named(self, not_loaded, monkeypatch, tmp_path):
        file = tmp_path / "libwarpctc.so"
        file.write_text("not a library\n")
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
        with pytest.raises(OCRError, match=f"{file} does not load as libwarpctc"):
            warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))

    def test_another_library_is_named(self):
        name = ctypes.util.find_library("c")
        with pytest.raises(OCRError, match=f"{name} does not load as libwarpctc.*get_warpctc_version"):
            warpctc.Library(name)

    def test_old_version_is_refused(self, monkeypatch):
        names = "ctcGetStatusString", "get_workspace_size", "compute_ctc_loss"
        old = SimpleNamespace(get_warpctc_version=lambda: 1, **{name: SimpleNamespace() for name in names})
        monkeypatch.setattr(warpctc.ctypes, "CDLL", lambda path: old)
        with pytest.raises(OCRError, match=r"old\.so is libwarpctc version 1, and version 2 is needed"):
            warpctc.Library("old.so")


def test_options_lie_in_memory_as_in_the_header():
    options = warpctc._Options
    assert [getattr(options, name).offset for name, _ in options._fields_] == [0, 8, 16]
    assert ctypes.sizeof(options) == 24


@pytest.mark.parametrize("wanted, expected", [("3", 3), ("4,2", 4), (" 2 ", 2), ("many", 5), ("", 5), (None, 5)])
def test_thread_count(monkeypatch, wanted, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert warpctc._thread_count() == expected


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
        env={**os.environ, "WARPCTC_PATH": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stdout == f"(4, 2, {CLASSES})\n", result.stderr


def test_has_native(monkeypatch):
    monkeypatch.delattr(mx.sym, "WarpCTC", raising=False)
    assert not warpctc.has_native()
    monkeypatch.setattr(mx.sym, "WarpCTC", object(), raising=False)
    assert warpctc.has_native()
