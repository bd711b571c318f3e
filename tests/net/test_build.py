"""Whole training symbols: both cells alike, the outputs' shapes, dropout, several devices."""

import json

import numpy as np
import pytest

from ocr_lib.mx import mx
from ocr_lib.net.build import inference_symbol, training_symbol
from tests.net.small_batches import (
    HEIGHT,
    LABEL_WIDTH,
    ONE,
    WIDTH,
    assert_same_run,
    directions,
    random_batch,
    run,
    small_recipe,
    split,
)
from tests.small_network import random_params, save

TWO = [{"filters": 2}, {"filters": 3, "pool": [1, 2]}]
networks = pytest.mark.parametrize("convolutions", [[], ONE, TWO], ids=["raw", "conv", "two-conv"])


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
        assert shapes == [(7, steps, 5), (7,)]
        _, shapes, _ = inference_symbol(symbol).infer_shape(data=(7, WIDTH, HEIGHT))
        assert shapes == [(steps, 7, 5)]

    def test_width_and_height_that_poolings_do_not_divide(self):
        recipe = small_recipe(image__width=27, image__height=11, network__convolutions=ONE * 2)
        _, shapes, _ = training_symbol(recipe).infer_shape(data=(2, 27, 11), label=(2, LABEL_WIDTH))
        assert recipe.time_steps == 6
        assert shapes == [(2, 6, 5), (2,)]

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
        by_sample = run(recipe, params, data, labels)[0][0]
        np.testing.assert_allclose(output.asnumpy().swapaxes(0, 1), by_sample, atol=1e-6)


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
            np.testing.assert_allclose(part[0], whole[0][samples], atol=1e-5)
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
        assert [array.shape for array in two] == [(samples, recipe.time_steps, 5), (samples,), batch[0].shape]
        for array, expected in zip(two, one):
            np.testing.assert_allclose(array, expected, atol=1e-4)
