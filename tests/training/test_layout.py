"""Where the arrays of a network lie in one vector."""

import math

import numpy as np
import pytest

from ocr_lib.feed.iterator import Feeder
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.settings import load_preset, override, preset_names
from ocr_lib.training.layout import Layout, is_average
from tests.toy import toy_recipe

RECIPES = {
    **{name: load_preset(name) for name in preset_names()},
    "toy": toy_recipe(),
    "output norm": toy_recipe(("network.output_norm", True)),
    "unrolled": toy_recipe(("network.cell", "unrolled")),
    "without batch norm": toy_recipe(("network.convolutions", [{"filters": 3, "batch_norm": False}])),
}
recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


def shapes_of(recipe):
    """Return what the symbol says: shapes of parameters, and of running averages."""
    data, label = Feeder(recipe).shapes(2)
    inputs = {each.name: each.shape for each in [*data, *label]}
    symbol = training_symbol(override(recipe, [("training.loss", "ctc")]))
    shapes, _, averages = symbol.infer_shape(**inputs)
    parameters = dict(zip(symbol.list_arguments(), shapes))
    for name in inputs:
        del parameters[name]
    return parameters, dict(zip(symbol.list_auxiliary_states(), averages))


@recipes
def test_names_and_shapes_are_those_of_the_symbol(recipe):
    layout = Layout(recipe)
    parameters, averages = shapes_of(recipe)
    views = layout.views(np.zeros(layout.size, np.float32))
    assert {name: view.shape for name, view in views.items()} == {**parameters, **averages}
    assert {name for name in views if is_average(name)} == averages.keys()
    assert layout.views(np.zeros(layout.trained, np.float32)).keys() == parameters.keys()


@recipes
def test_every_number_is_in_one_array(recipe):
    layout = Layout(recipe)
    vector = np.arange(layout.size)
    views = layout.views(vector)
    numbers = np.concatenate([view.ravel() for view in views.values()])
    np.testing.assert_array_equal(np.sort(numbers), vector)
    for view in views.values():  # they are parts of the vector, not copies of them
        view += 1
    np.testing.assert_array_equal(vector, np.arange(1, layout.size + 1))


@recipes
def test_runs_are_all_parameters_and_say_which_decay(recipe):
    layout = Layout(recipe)
    parameters, averages = shapes_of(recipe)
    views = layout.views(np.arange(layout.size))
    decays = np.full(layout.size, -1)
    for run, run_decays in layout.runs:
        assert (decays[run] == -1).all()
        decays[run] = run_decays
    for name in parameters:
        assert (decays[views[name]] == name.endswith(("_weight", "_gamma"))).all(), name
    assert layout.trained == sum(map(math.prod, parameters.values()))
    assert all(views[name].min() >= layout.trained for name in averages)


@recipes
def test_a_packed_symbol_has_the_same_numbers_in_vectors(recipe):
    layout = Layout(recipe)
    views = layout.packed_views(np.arange(layout.size))
    data, label = Feeder(recipe).shapes(2)
    inputs = {each.name: each.shape for each in [*data, *label]}
    symbol = training_symbol(override(recipe, [("training.loss", "ctc")]), packed=True)
    shapes, _, averages = symbol.infer_shape(**inputs)
    expected = dict(zip(symbol.list_arguments(), shapes))
    expected.update(zip(symbol.list_auxiliary_states(), averages))
    assert {name: view.shape for name, view in views.items()} == {
        name: shape for name, shape in expected.items() if name not in inputs
    }
    np.testing.assert_array_equal(
        np.sort(np.concatenate([view.ravel() for view in views.values()])), range(layout.size)
    )


def test_the_place_of_an_array_does_not_depend_on_what_else_is_computed():
    layouts = [
        Layout(toy_recipe(("network.dropout", rate), ("training.parts", parts))) for rate, parts in ((0, 1), (0.5, 4))
    ]
    for one, other in zip(*(layout.views(np.arange(layout.size)).items() for layout in layouts)):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])
