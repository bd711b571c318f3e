"""Whole training symbols: both cells alike, the outputs' shapes, several devices, the two losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net import warpctc
from ocr_lib.net.build import inference_symbol, training_symbol
from ocr_lib.recipe import Recipe, override
from tests.small_network import random_params, save

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, LABEL_WIDTH = 24, 8, 3


def small_recipe(**settings):
    sizes = {
        "image.width": WIDTH,
        "image.height": HEIGHT,
        "text.alphabet": "abcd",
        "text.max_length": LABEL_WIDTH,
        "network.hidden": 5,
    }
    sizes.update((key.replace("__", "."), value) for key, value in settings.items())
    return override(Recipe(), sizes.items())


def random_batch(samples, seed=0):
    """Return data (N, T, F) and labels (N, L) of lengths 1, 2, 3, 0, and so on."""
    rng = np.random.default_rng(seed)
    lengths = np.arange(1, samples + 1)[:, None] % (LABEL_WIDTH + 1)
    labels = rng.integers(1, 5, (samples, LABEL_WIDTH)) * (np.arange(LABEL_WIDTH) < lengths)
    return rng.normal(size=(samples, WIDTH, HEIGHT)).astype(np.float32), labels.astype(np.float32)


def run(recipe, params, data, labels, out_grads=None):
    """Return the outputs, and the gradients of all parameters and of the data by name."""
    symbol = training_symbol(recipe)
    needed = {name: "null" if name == "label" else "write" for name in symbol.list_arguments()}
    executor = symbol.simple_bind(mx.cpu(), data=data.shape, label=labels.shape, grad_req=needed)
    executor.copy_params_from(*split(params))
    executor.forward(is_train=True, data=mx.nd.array(data), label=mx.nd.array(labels))
    outputs = [output.asnumpy() for output in executor.outputs]
    executor.backward(out_grads and [mx.nd.array(grad) for grad in out_grads])
    return outputs, {name: grad.asnumpy() for name, grad in executor.grad_dict.items() if grad is not None}


def split(params):
    return [
        {name[4:]: mx.nd.array(array) for name, array in params.items() if name.startswith(kind)}
        for kind in ("arg:", "aux:")
    ]


def assert_same_run(one, other, atol=1e-4):
    for output, expected in zip(one[0], other[0]):
        np.testing.assert_allclose(output, expected, atol=atol)
    assert one[1].keys() == other[1].keys()
    for name, gradient in one[1].items():
        assert np.abs(other[1][name]).max() > 1e-3, f"the gradient of {name} is too small to compare"
        np.testing.assert_allclose(gradient, other[1][name], atol=atol, err_msg=name)


ONE = [{"filters": 3}]
TWO = [{"filters": 2}, {"filters": 3, "pool": [1, 2]}]
networks = pytest.mark.parametrize("convolutions", [[], ONE, TWO], ids=["raw", "conv", "two-conv"])
directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])


class TestCells:
    @networks
    @directions
    @pytest.mark.parametrize("layers", [1, 2])
    @pytest.mark.parametrize("samples", [1, 3])
    def test_same_outputs_and_gradients(self, convolutions, bidirectional, layers, samples):
        common = {
            "network__convolutions": convolutions,
            "network__bidirectional": bidirectional,
            "network__layers": layers,
        }
        fused, unrolled = (small_recipe(network__cell=cell, **common) for cell in ("fused", "unrolled"))
        params = random_params(fused)
        data, labels = random_batch(samples)
        one, other = run(fused, params, data, labels), run(unrolled, params, data, labels)
        assert {f"arg:{name}" for name in one[1]} == {name for name in params if name.startswith("arg:")} | {"arg:data"}
        assert_same_run(one, other)

    @networks
    @directions
    def test_same_parameters(self, convolutions, bidirectional):
        common = {"network__convolutions": convolutions, "network__bidirectional": bidirectional}
        fused, unrolled = (
            {name: array.shape for name, array in random_params(small_recipe(network__cell=cell, **common)).items()}
            for cell in ("fused", "unrolled")
        )
        assert fused == unrolled

    @pytest.mark.parametrize("cells", [("fused", "unrolled"), ("unrolled", "fused")])
    def test_a_file_of_one_loads_into_the_other(self, tmp_path, cells):
        settings = {"network__convolutions": ONE, "network__bidirectional": True}
        saved, loaded = (small_recipe(network__cell=cell, **settings) for cell in cells)
        params = random_params(saved)
        save(tmp_path / "net", saved, params)
        data, labels = random_batch(2)

        arrays = mx.nd.load(str(tmp_path / "net-0001.params"))
        module = mx.mod.Module(training_symbol(loaded), label_names=["label"])
        module.bind([("data", data.shape)], [("label", labels.shape)], for_training=False)
        module.set_params(*({k[4:]: v for k, v in arrays.items() if k.startswith(kind)} for kind in ("arg:", "aux:")))
        module.forward(mx.io.DataBatch([mx.nd.array(data)], [mx.nd.array(labels)]), is_train=False)

        executor = training_symbol(saved).simple_bind(mx.cpu(), data=data.shape, label=labels.shape, grad_req="null")
        executor.copy_params_from(*split(params))
        executor.forward(data=mx.nd.array(data), label=mx.nd.array(labels))
        for output, expected in zip(module.get_outputs(), executor.outputs):
            np.testing.assert_allclose(output.asnumpy(), expected.asnumpy(), atol=1e-5)


class TestOutputs:
    @pytest.mark.parametrize("convolutions, steps", [([], 24), (ONE, 12), (TWO, 12), (ONE * 3, 3)])
    def test_shapes(self, convolutions, steps):
        recipe = small_recipe(network__convolutions=convolutions, text__max_length=2, text__min_length=1)
        assert recipe.time_steps == steps
        symbol = training_symbol(recipe)
        _, shapes, _ = symbol.infer_shape(data=(7, WIDTH, HEIGHT), label=(7, 2))
        assert shapes == [(steps, 7, 5), (7,)]
        _, shapes, _ = inference_symbol(symbol).infer_shape(data=(7, WIDTH, HEIGHT))
        assert shapes == [(steps, 7, 5)]

    def test_width_and_height_that_poolings_do_not_divide(self):
        recipe = small_recipe(image__width=27, image__height=11, network__convolutions=ONE * 2)
        _, shapes, _ = training_symbol(recipe).infer_shape(data=(2, 27, 11), label=(2, LABEL_WIDTH))
        assert recipe.time_steps == 6
        assert shapes == [(6, 2, 5), (2,)]

    def test_probabilities_sum_to_one_and_have_no_gradient(self):
        recipe = small_recipe()
        params, (data, labels) = random_params(recipe), random_batch(4)
        outputs, gradients = run(recipe, params, data, labels)
        np.testing.assert_allclose(outputs[0].sum(axis=2), 1, atol=1e-5)
        heads = [np.random.default_rng(0).normal(size=output.shape) for output in outputs]
        assert_same_run(run(recipe, params, data, labels, heads), (outputs, gradients), atol=0)

    def test_inference_gives_the_training_symbols_probabilities_and_needs_no_label(self):
        recipe = small_recipe(network__bidirectional=True)
        params, (data, labels) = random_params(recipe), random_batch(3)
        symbol = inference_symbol(training_symbol(recipe))
        assert "label" not in symbol.list_arguments()
        executor = symbol.simple_bind(mx.cpu(), data=data.shape, grad_req="null")
        executor.copy_params_from(*split(params))
        (output,) = executor.forward(data=mx.nd.array(data))
        np.testing.assert_allclose(output.asnumpy(), run(recipe, params, data, labels)[0][0], atol=1e-6)


class TestDropout:
    SHARE = 0.3

    def outputs(self, is_train, **network):
        """Return what goes into each dropout of a network, and what comes out."""
        network = {f"network__{key}": value for key, value in network.items()}
        recipe = small_recipe(network__dropout=self.SHARE, network__hidden=50, **network)
        symbol = training_symbol(recipe)
        nodes = json.loads(symbol.tojson())["nodes"]
        internals = symbol.get_internals()
        found = []
        for node in nodes:
            if node["op"] == "Dropout":
                source = nodes[node["inputs"][0][0]]
                source_name = source["name"] + ("_output" if source["op"] != "null" else "")
                names = [name for name in internals.list_outputs() if name in (source_name, f"{source_name}0")]
                found += [internals[names[0]], internals[f"{node['name']}_output"]]
        data, _ = random_batch(40)
        executor = mx.sym.Group(found).simple_bind(
            mx.cpu(), data=data.shape
        )  # bound for inference it leaves nothing out
        executor.copy_params_from(*split(random_params(recipe)), allow_extra_params=True)
        mx.random.seed(0)
        outputs = [output.asnumpy() for output in executor.forward(is_train=is_train, data=mx.nd.array(data))]
        return list(zip(outputs[::2], outputs[1::2]))

    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_leaves_out_its_share_in_training(self, cell):
        pairs = self.outputs(True, layers=2, cell=cell)
        assert [len(before[0, 0]) for before, _ in pairs] == [HEIGHT, 50, 50]  # two LSTM layers and the classifier
        for before, after in pairs:
            left_out = after == 0
            assert left_out.mean() == pytest.approx(self.SHARE, abs=0.02)
            np.testing.assert_allclose(after[~left_out], before[~left_out] / (1 - self.SHARE), rtol=1e-4)

    def test_does_nothing_in_inference(self):
        for before, after in self.outputs(False, layers=2, output_norm=True):
            np.testing.assert_array_equal(before, after)

    def test_is_no_part_of_the_network_without(self):
        assert "Dropout" not in training_symbol(small_recipe()).tojson()


class TestModule:
    """What the training loop relies on: partial batches and several devices."""

    def outputs_and_gradients(self, recipe, params, batches, contexts):
        data, labels = batches[0]
        module = mx.mod.Module(training_symbol(recipe), label_names=["label"], context=contexts)
        module.bind([("data", data.shape)], [("label", labels.shape)], inputs_need_grad=True)
        module.set_params(*split(params))
        found = []
        for data, labels in batches:
            shapes = {
                "provide_data": [mx.io.DataDesc("data", data.shape)],
                "provide_label": [mx.io.DataDesc("label", labels.shape)],
            }
            module.forward(mx.io.DataBatch([mx.nd.array(data)], [mx.nd.array(labels)], **shapes), is_train=True)
            module.backward()
            found.append([array.asnumpy() for array in (*module.get_outputs(), *module.get_input_grads())])
        return found

    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_partial_batch(self, cell):
        recipe = small_recipe(network__cell=cell, network__bidirectional=True)
        params, (data, labels) = random_params(recipe), random_batch(6)
        batches = [(data, labels), (data[:2], labels[:2]), (data[2:], labels[2:]), (data[:1], labels[:1])]
        whole, *parts = self.outputs_and_gradients(recipe, params, batches, mx.cpu())
        for part, samples in zip(parts, (slice(2), slice(2, 6), slice(1))):
            np.testing.assert_allclose(part[0], whole[0][:, samples], atol=1e-5)
            np.testing.assert_allclose(part[1], whole[1][samples], atol=1e-4)
            np.testing.assert_allclose(part[2], whole[2][samples], atol=1e-5)

    @pytest.mark.parametrize("samples", [4, 5])
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_two_devices_give_what_one_gives(self, samples, cell):
        recipe = small_recipe(network__cell=cell)
        params, batch = random_params(recipe), random_batch(samples)
        (one,), (two,) = (
            self.outputs_and_gradients(recipe, params, [batch], contexts)
            for contexts in (mx.cpu(), [mx.cpu(0), mx.cpu(1)])
        )
        assert [array.shape for array in two] == [(recipe.time_steps, samples, 5), (samples,), batch[0].shape]
        for array, expected in zip(two, one):
            np.testing.assert_allclose(array, expected, atol=1e-4)


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
            env={**os.environ, "WARPCTC_PATH": str(tmp_path / "nowhere")},
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr.decode()
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)
