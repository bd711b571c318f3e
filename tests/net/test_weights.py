"""Parameters made ready for inference: the network that they are for computes what the trained one does."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import folded_symbol
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.net.weights import BATCH_NORM_EPSILON, check_weights, fold_batch_norms, pack_lstm
from ocr_lib.recipe.network import NetworkRecipe, direction_names
from ocr_lib.recipe.settings import override
from tests import lines
from tests.small_network import mark_recipe, random_params, save

WIDTH, HEIGHT, COUNT = 31, 13, 4
NETWORKS = {
    "raw": [],
    "two-conv": [{"filters": 3, "pool": [2, 2]}, {"filters": 5, "pool": [1, 2]}],
    "valid": [{"filters": 3, "kernel": [4, 2], "padding": False}, {"filters": 5, "kernel": [5, 1]}],
    "biases": [{"filters": 3, "batch_norm": False}, {"filters": 5, "batch_norm": False}],
}


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def folded_logits(recipe, weights, images, gain=1.0):
    symbol = folded_symbol(recipe, gain)
    data = normalise(images, recipe.image.mean, recipe.image.scale)
    executor = symbol.simple_bind(mx.cpu(), data=data.shape, grad_req="null")
    assert {name: array.shape for name, array in executor.arg_dict.items() if name != "data"} == {
        name: array.shape for name, array in weights.items()
    }
    executor.copy_params_from({name: mx.nd.array(array) for name, array in weights.items()})
    return executor.forward(data=mx.nd.array(data))[0].asnumpy()


class TestFolded:
    @pytest.mark.parametrize("gain", [1.0, 0.25])
    @pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-way"])
    @pytest.mark.parametrize("convolutions", NETWORKS.values(), ids=NETWORKS)
    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    def test_same_logits_as_the_trained_network(self, tmp_path, cell, convolutions, bidirectional, gain):
        network = {"cell": cell, "convolutions": convolutions, "bidirectional": bidirectional}
        self.check(tmp_path, network, gain)

    @pytest.mark.parametrize("cell", ["fused", "unrolled"])
    @pytest.mark.parametrize(
        "network",
        [
            {"merge": "sum", "bidirectional": True},
            {"output_norm": True, "dropout": 0.3},
            {"output_norm": True, "bidirectional": True},
        ],
        ids=["sum", "norm", "norm-two-way"],
    )
    def test_same_logits_with_each_option(self, tmp_path, network, cell):
        self.check(tmp_path, {**network, "cell": cell, "convolutions": NETWORKS["two-conv"]}, gain=0.25)

    def check(self, tmp_path, network, gain):
        network = {"layers": 2, "hidden": 5, **network}
        recipe = override(
            mark_recipe(),
            [
                ("image.width", WIDTH),
                ("image.height", HEIGHT),
                *((f"network.{key}", value) for key, value in network.items()),
            ],
        )
        checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, random_params(recipe, seed=3)))
        images = np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH), np.uint8)
        weights = fold_batch_norms(numpy_weights(checkpoint))
        for prefix in direction_names(recipe.network)[0]:
            weights[f"{prefix}i2h_weight"] = weights[f"{prefix}i2h_weight"] / np.float32(gain)
        if network["cell"] == "fused":
            weights = pack_lstm(weights, recipe.network)
        logits = folded_logits(recipe, weights, images, gain)
        expected = Reader(checkpoint).probabilities(images)
        assert logits.shape == (recipe.time_steps, COUNT, 11)
        assert np.ptp(expected, axis=1).max() > 1e-3, "the images are read too much alike to tell anything"
        np.testing.assert_allclose(softmax(logits), expected, atol=1e-5)


class TestFoldBatchNorms:
    @pytest.fixture
    def weights(self):
        rng = np.random.default_rng(0)
        weights = {"pred_fc_weight": rng.normal(size=(2, 3)), "l0_i2h_bias": rng.normal(size=8)}
        for i, (filters, planes) in enumerate([(3, 1), (4, 3)]):
            weights[f"conv{i}_weight"] = rng.normal(size=(filters, planes, 3, 3))
            for name in ("gamma", "beta", "moving_mean"):
                weights[f"bn{i}_{name}"] = rng.normal(size=filters)
            weights[f"bn{i}_moving_var"] = rng.uniform(1e-6, 2, filters)
        return weights

    @pytest.mark.parametrize("i", [0, 1])
    def test_a_patch_gives_what_the_normalisation_makes_of_it(self, weights, i):
        folded = fold_batch_norms(weights)
        patch = np.random.default_rng(1).normal(size=weights[f"conv{i}_weight"].shape[1:])
        plain = np.tensordot(weights[f"conv{i}_weight"], patch, 3)
        mean, variance = weights[f"bn{i}_moving_mean"], weights[f"bn{i}_moving_var"]
        normalised = (plain - mean) / np.sqrt(variance + BATCH_NORM_EPSILON)
        expected = weights[f"bn{i}_gamma"] * normalised + weights[f"bn{i}_beta"]
        found = np.tensordot(folded[f"conv{i}_weight"], patch, 3) + folded[f"conv{i}_bias"]
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    def test_the_rest_stays_and_nothing_is_changed_in_place(self, weights):
        before = {name: array.copy() for name, array in weights.items()}
        folded = fold_batch_norms(weights)
        convolutions = {f"conv{i}_{kind}" for i in (0, 1) for kind in ("weight", "bias")}
        assert set(folded) == {"pred_fc_weight", "l0_i2h_bias"} | convolutions
        assert folded["pred_fc_weight"] is weights["pred_fc_weight"]
        for name, array in before.items():
            np.testing.assert_array_equal(weights[name], array)

    def test_a_filter_that_never_varied(self, weights):
        weights["bn0_moving_var"][1] = 0
        assert np.isfinite(fold_batch_norms(weights)["conv0_weight"]).all()

    def test_before_the_classifier(self, weights):
        rng = np.random.default_rng(2)
        weights.update({f"pred_bn_{name}": rng.normal(size=3) for name in ("gamma", "beta", "moving_mean")})
        weights.update(pred_bn_moving_var=rng.uniform(1e-6, 2, 3), pred_fc_bias=rng.normal(size=2))
        before = {name: array.copy() for name, array in weights.items()}
        folded = fold_batch_norms(weights)
        assert not [name for name in folded if name.startswith("pred_bn")]
        hidden = rng.normal(size=(5, 3))
        normalised = (hidden - weights["pred_bn_moving_mean"]) / np.sqrt(weights["pred_bn_moving_var"] + 1e-5)
        normalised = normalised * weights["pred_bn_gamma"] + weights["pred_bn_beta"]
        expected = normalised @ weights["pred_fc_weight"].T + weights["pred_fc_bias"]
        found = hidden @ folded["pred_fc_weight"].T + folded["pred_fc_bias"]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        for name, array in before.items():
            np.testing.assert_array_equal(weights[name], array)

    def test_a_bias_stays(self, weights):
        for name in ("gamma", "beta", "moving_mean", "moving_var"):
            del weights[f"bn0_{name}"]
        weights["conv0_bias"] = np.array([1.0, -2, 3])
        folded = fold_batch_norms(weights)
        assert folded["conv0_weight"] is weights["conv0_weight"]
        assert folded["conv0_bias"] is weights["conv0_bias"]
        assert set(folded) >= {"conv1_weight", "conv1_bias"}

    def test_a_network_without_any(self):
        weights = {"l0_i2h_weight": np.ones((4, 1))}
        assert fold_batch_norms(weights) == weights


@pytest.mark.parametrize("network", lines.NETWORKS.values(), ids=lines.NETWORKS)
class TestCheckWeights:
    @pytest.fixture
    def recipe(self, network):
        return lines.line_recipe(**network)

    @pytest.fixture
    def weights(self, recipe):
        return {name[4:]: array for name, array in random_params(recipe).items()}

    def test_those_of_the_training_symbol_pass(self, weights, recipe):
        check_weights(weights, recipe)
        check_weights(weights, override(recipe, [("image.width", 40), ("network.dropout", 0.5)]))

    def test_any_of_another_shape_is_refused(self, weights, recipe):
        for name, array in weights.items():
            for axis in range(array.ndim):
                longer = {**weights, name: np.concatenate([array, array], axis)}
                with pytest.raises(OCRError, match=f"parameters don't fit the recipe's network: {name} is "):
                    check_weights(longer, recipe)

    def test_any_that_is_missing_or_too_many_is_refused(self, weights, recipe):
        for name in weights:
            with pytest.raises(OCRError, match=f"{name} is missing, not "):
                check_weights({key: array for key, array in weights.items() if key != name}, recipe)
        for name in {"conv0_bias", "bn1_gamma", "pred_bn_beta", "l2_i2h_bias"} - set(weights):
            with pytest.raises(OCRError, match=f"which has no {name}$"):
                check_weights({**weights, name: np.zeros(3)}, recipe)


def test_directions_are_named_by_layer():
    assert direction_names(NetworkRecipe(layers=2, bidirectional=False)) == [["l0_"], ["l1_"]]
    assert direction_names(NetworkRecipe(layers=2, bidirectional=True)) == [["l0_", "l0_r_"], ["l1_", "l1_r_"]]
