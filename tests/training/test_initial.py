"""What a network is before it is trained, and arrays that are set to those of a checkpoint."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.settings import override
from ocr_lib.training.initial import fill, initial_weights
from tests.toy import toy_recipe

RECIPE = toy_recipe()


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_weights_are_those_of_the_seed_whatever_was_drawn_before():
    weights = initial_weights(RECIPE)
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(RECIPE)
    mx.nd.random.uniform(shape=(7,)).wait_to_read()
    other = override(RECIPE, [("training.parts", 5), ("training.batch_size", 100), ("network.dropout", 0.5)])
    assert_same(initial_weights(other), weights)
    another = initial_weights(override(RECIPE, [("seed", 1)]))
    assert not np.array_equal(another["pred_fc_weight"], weights["pred_fc_weight"])


def test_values_are_set_and_others_stay():
    arrays = {"a": np.zeros((2, 3)), "b": np.ones(2)}
    views = dict(arrays)
    fill(arrays, {"a": mx.nd.array([[1, 2, 3], [4, 5, 6]])})
    assert arrays["a"] is views["a"] and arrays["a"].tolist() == [[1, 2, 3], [4, 5, 6]]
    fill(arrays, {"a": np.full((2, 3), 7)})
    assert (views["a"] == 7).all() and (views["b"] == 1).all()


@pytest.mark.parametrize("values", [{"c": np.zeros(2)}, {"b": np.zeros(3)}, {"b": np.zeros((1, 2))}])
def test_what_does_not_fit_is_named(values):
    (name,) = values
    with pytest.raises(OCRError, match=f"^the checkpoint's parameters don't fit the recipe's network: {name} is "):
        fill({"a": np.zeros(2), "b": np.zeros(2)}, values)
