"""Batches of lines of any width as an MXNet data iterator."""

import numpy as np
import pytest

from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

HEIGHT = 5


def recipe_of(*settings):
    small = [("image.width", None), ("image.height", HEIGHT), ("text.min_length", 1), ("training.batch_size", 4)]
    return override(Recipe(), [*small, *settings])


def batch_of(widths, texts=None, padded_to=None):
    """Return noise, behind the images' widths too."""
    shape = len(widths), HEIGHT, padded_to or max(widths)
    images = np.random.default_rng(len(widths)).integers(0, 256, shape, np.uint8)
    return Batch(images, texts or ["7"] * len(widths), np.array(widths))


def shapes(descriptions):
    return [(description.name, tuple(description.shape), description.layout) for description in descriptions]


@pytest.mark.parametrize(
    "settings, width, label",
    [
        ([], 8, 4),
        ([("text.max_length", 32)], 32, 32),
        ([("text.max_length", 33)], 40, 33),
        ([("text.max_length", 100)], 104, 100),
        ([("text.max_length", 20), ("network.convolutions", [{"filters": 2}])], 24, 12),
        ([("network.convolutions", [{"filters": 2, "pool": [16, 1]}])], 16, 1),
    ],
)
def test_it_provides_widths_and_says_so(settings, width, label):
    iterator = OCRIter([], recipe_of(*settings))
    assert shapes(iterator.provide_data) == [("data", (4, width, HEIGHT), "NTC"), ("widths", (4,), "N")]
    assert shapes(iterator.provide_label) == [("label", (4, label), "NT")]


@pytest.mark.parametrize("layer", [{"pool": [70, 1]}, {"kernel": [40, 1], "padding": False, "pool": [1, 1]}])
def test_what_it_provides_is_enough_for_a_network_that_wants_much(layer):
    iterator = OCRIter([], recipe_of(("network.convolutions", [{"filters": 2, **layer}])))
    assert all(size > 0 for _, shape, _ in shapes(iterator.provide_data + iterator.provide_label) for size in shape)


def test_a_recipe_with_a_width_has_none():
    iterator = OCRIter([batch_of([9] * 4)], recipe_of(("image.width", 9)))
    (batch,) = iterator
    for provided in iterator.provide_data, batch.provide_data:
        assert shapes(provided) == [("data", (4, 9, HEIGHT), "NTC")]
    assert len(batch.data) == 1
    np.testing.assert_array_equal(batch.widths, [9] * 4)


@pytest.mark.parametrize("mean, scale", [(0, 255), (255, -255), (127.5, 64), (13.7, -3)])
def test_grey_values_are_normalised_and_zero_behind_the_width(mean, scale):
    source = batch_of([45, 1, 33, 44])
    (batch,) = OCRIter([source], recipe_of(("image.mean", mean), ("image.scale", scale)))
    data, widths = (array.asnumpy() for array in batch.data)
    assert data.shape == (4, 48, HEIGHT) and data.dtype == widths.dtype == np.float32
    assert widths.tolist() == batch.widths.tolist() == [45, 1, 33, 44]
    for sample, image, width in zip(data, source.images, (45, 1, 33, 44)):
        np.testing.assert_allclose(sample[:width], (image.T[:width].astype(float) - mean) / scale, rtol=1e-5, atol=1e-6)
        assert (sample[width:] == 0).all()
    assert shapes(batch.provide_data) == [("data", (4, 48, HEIGHT), "NTC"), ("widths", (4,), "N")]


@pytest.mark.parametrize(
    "width, steps", [(1, 8), (8, 8), (9, 16), (511, 512), (513, 528), (1000, 1008), (1025, 1056), (3300, 3328)]
)
def test_time_steps_are_few_different_numbers(width, steps):
    (batch,) = OCRIter([batch_of([width, 1])], recipe_of())
    assert batch.data[0].shape == (2, steps, HEIGHT)


def test_columns_that_are_all_padding_change_nothing():
    recipe = recipe_of()
    source = batch_of([20, 7, 31, 2], padded_to=60)
    cut = source._replace(images=source.images[:, :, :31])
    found = [next(OCRIter([batch], recipe)).data[0].asnumpy() for batch in (source, cut)]
    assert [data.shape[1] for data in found] == [64, 32]
    np.testing.assert_array_equal(found[0][:, :32], found[1])
    assert not found[0][:, 32:].any()


def test_an_incomplete_batch_is_padded_with_its_last_sample_when_asked():
    source = batch_of([12, 40, 33], ["1", "22", "333"])
    (batch,) = OCRIter([source], recipe_of(), least_rows=4)
    data, widths, label = (array.asnumpy() for array in [*batch.data, *batch.label])
    assert batch.pad == 1
    assert (data.shape, widths.tolist()) == ((4, 40, HEIGHT), [12, 40, 33, 33])
    np.testing.assert_array_equal(data[3], data[2])
    assert label.tolist() == [[2, 0, 0, 0], [3, 3, 0, 0], [4, 4, 4, 0], [4, 4, 4, 0]]
    assert (batch.texts, batch.widths.tolist()) == (["1", "22", "333"], [12, 40, 33])
    (unpadded,) = OCRIter([source], recipe_of())
    assert unpadded.pad == 0 and unpadded.data[1].asnumpy().tolist() == [12, 40, 33]
    np.testing.assert_array_equal(unpadded.data[0].asnumpy(), data[:3])
    assert shapes(unpadded.provide_data) == [("data", (3, 40, HEIGHT), "NTC"), ("widths", (3,), "N")]


@pytest.mark.parametrize("width, label_width", [(20, 3), (33, 5), (100, 9)])
def test_labels_are_no_wider_than_the_time_steps(width, label_width):
    pools = [{"filters": 2, "pool": [8, 1]}]  # 24 columns make 3 time steps
    recipe = recipe_of(("network.convolutions", pools), ("text.max_length", 9))
    (batch,) = OCRIter([batch_of([width, 9], ["12", "3"])], recipe)
    label = batch.label[0].asnumpy()
    assert shapes(batch.provide_label) == [("label", (2, label_width), "NT")]
    assert label.tolist() == [[2, 3] + [0] * (label_width - 2), [4] + [0] * (label_width - 1)]


@pytest.mark.parametrize("least_rows", [1, 4])
def test_a_module_can_be_fed_with_batches_of_different_widths(least_rows):
    data, widths = mx.sym.var("data"), mx.sym.var("widths")
    per_column = mx.sym.broadcast_div(mx.sym.sum(data, axis=(1, 2)), widths)
    net = mx.sym.Group([mx.sym.BlockGrad(per_column), mx.sym.MakeLoss(mx.sym.sum(mx.sym.var("label"), axis=1))])
    batches = [batch_of([45, 1, 33, 44]), batch_of([3, 2, 1, 9], ["1", "2", "3", "4444"]), batch_of([70, 80])]
    iterator = OCRIter(batches, recipe_of(), least_rows=least_rows)
    module = mx.mod.Module(net, [description.name for description in iterator.provide_data], ["label"])
    module.bind(iterator.provide_data, iterator.provide_label)
    module.init_params()
    for source, batch in zip(batches, iterator):
        module.forward(batch, is_train=False)
        found, of_labels = (output.asnumpy()[: 4 - batch.pad] for output in module.get_outputs())
        expected = [image[:, :width].sum() / 255 / width for image, width in zip(source.images, source.widths.tolist())]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert of_labels.tolist() == [sum(int(digit) + 1 for digit in text) for text in source.texts]
