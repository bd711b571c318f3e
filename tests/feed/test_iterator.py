"""Batches as an MXNet data iterator."""

import itertools
import time
from functools import partial

import numpy as np
import pytest

from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

RECIPE = override(
    Recipe(),
    [
        ("image.width", 9),
        ("image.height", 5),
        ("image.mean", 255),
        ("image.scale", -255),
        ("text.min_length", 1),
        ("training.batch_size", 4),
    ],
)


def batch_of(size, start=0):
    images = np.random.default_rng(start).integers(0, 256, (size, 5, 9), dtype=np.uint8)
    return Batch(images, [str(10 ** (number % 4)) for number in range(start, start + size)], np.full(size, 9))


def arrays(batch):
    return batch.data[0].asnumpy(), batch.label[0].asnumpy()


def test_it_is_a_data_iterator_that_says_what_it_provides():
    iterator = OCRIter([batch_of(4)], RECIPE)
    assert isinstance(iterator, mx.io.DataIter) and iterator.batch_size == 4
    (data,), (label,) = iterator.provide_data, iterator.provide_label
    assert (data.name, tuple(data.shape), data.layout) == ("data", (4, 9, 5), "NTC")
    assert (label.name, tuple(label.shape), label.layout) == ("label", (4, 4), "NT")
    assert mx.io.DataDesc.get_batch_axis(data.layout) == mx.io.DataDesc.get_batch_axis(label.layout) == 0


def test_columns_are_time_steps_and_texts_are_padded_labels():
    source = batch_of(4)
    (batch,) = OCRIter([source], RECIPE)
    data, label = arrays(batch)
    assert data.dtype == label.dtype == np.float32
    assert (data.shape, label.shape, batch.pad) == ((4, 9, 5), (4, 4), 0)
    for n, x, y in np.ndindex(4, 9, 5):
        assert data[n, x, y] == pytest.approx((255 - source.images[n, y, x]) / 255, abs=1e-6)
    assert source.texts == ["1", "10", "100", "1000"]
    assert label.tolist() == [[2, 0, 0, 0], [2, 1, 0, 0], [2, 1, 1, 0], [2, 1, 1, 1]]


def test_an_incomplete_batch_is_padded_when_asked():
    (batch,) = OCRIter([batch_of(3)], RECIPE, least_rows=4)
    data, label = arrays(batch)
    assert (data.shape, label.shape, batch.pad) == ((4, 9, 5), (4, 4), 1)
    np.testing.assert_array_equal(data[3], data[2])
    np.testing.assert_array_equal(label[3], label[2])
    assert batch.texts == ["1", "10", "100"]
    (unpadded,) = OCRIter([batch_of(3)], RECIPE)
    np.testing.assert_array_equal(data[:3], unpadded.data[0].asnumpy())


def test_an_incomplete_batch_is_smaller_otherwise_and_says_so():
    (batch,) = OCRIter([batch_of(3)], RECIPE)
    data, label = arrays(batch)
    assert (data.shape, label.shape, batch.pad) == ((3, 9, 5), (3, 4), 0)
    assert tuple(batch.provide_data[0].shape) == (3, 9, 5) and tuple(batch.provide_label[0].shape) == (3, 4)


def test_a_list_is_read_anew_in_each_epoch():
    iterator = OCRIter([batch_of(4), batch_of(2, 4)], RECIPE, least_rows=4)
    epochs = []
    for _ in range(3):
        epochs.append([(arrays(batch)[0].tobytes(), batch.pad) for batch in iterator])
        with pytest.raises(StopIteration):
            iterator.next()
        iterator.reset()
    assert [pad for _, pad in epochs[0]] == [0, 2]
    assert epochs[0] == epochs[1] == epochs[2]


@pytest.mark.parametrize("per_epoch", [1, 2, 3, 5])
def test_each_epoch_begins_with_the_first_of_a_list_whatever_its_length(per_epoch):
    batches = [batch_of(4, start) for start in (0, 4, 8)]
    iterator = OCRIter(batches, RECIPE, per_epoch)
    for _ in range(3):
        drawn = [arrays(batch)[0] for batch in iterator]
        expected = [arrays(next(OCRIter([batches[k % 3]], RECIPE)))[0] for k in range(per_epoch)]
        np.testing.assert_array_equal(drawn, expected)
        iterator.reset()


def endless(epoch, done, per_epoch):
    for number in itertools.count(epoch * per_epoch + done):
        yield batch_of(4, 4 * number)


def test_an_endless_stream_goes_on_from_epoch_to_epoch():
    iterator = OCRIter(partial(endless, per_epoch=3), RECIPE, 3)
    drawn = []
    for _ in range(2):
        drawn += [arrays(batch)[0] for batch in iterator]
        iterator.reset()
    expected = [arrays(next(OCRIter([batch_of(4, start)], RECIPE)))[0] for start in range(0, 24, 4)]
    np.testing.assert_array_equal(drawn, expected)


def test_an_epoch_can_begin_in_the_middle():
    whole = OCRIter(partial(endless, per_epoch=5), RECIPE, 5)
    list(whole)
    whole.reset()
    iterator = OCRIter(partial(endless, per_epoch=5), RECIPE, 5, epoch=1, done=3)
    for count in 2, 5:
        expected = [arrays(batch)[0] for batch in whole][-count:]
        np.testing.assert_array_equal([arrays(batch)[0] for batch in iterator], expected)
        assert len(expected) == count
        iterator.reset()
        whole.reset()


def test_the_time_spent_waiting_is_counted():
    def slow(epoch, done):
        for start in range(3):
            time.sleep(0.02)
            yield batch_of(4, start)

    iterator = OCRIter(slow, RECIPE, 3)
    waits = [iterator.wait_s]
    for _ in iterator:
        waits.append(iterator.wait_s)
        time.sleep(0.01)  # is the reader's own time
    assert waits[0] == 0
    assert np.diff(waits).min() >= 0.02


@pytest.mark.parametrize("least_rows", [1, 4])
def test_a_module_can_be_fed_with_it(least_rows):
    data = mx.sym.var("data")
    net = mx.sym.FullyConnected(data, num_hidden=1, name="fc")
    net = mx.sym.MakeLoss(mx.sym.mean(net) + 0 * mx.sym.sum(mx.sym.var("label")))
    module = mx.mod.Module(net, data_names=["data"], label_names=["label"])
    iterator = OCRIter([batch_of(4), batch_of(3)], RECIPE, least_rows=least_rows)
    module.bind(iterator.provide_data, iterator.provide_label)
    module.init_params(mx.init.One())
    losses = []
    for batch in iterator:
        module.forward(batch, is_train=False)
        losses.append(module.get_outputs()[0].asscalar())
    iterator.reset()
    expected = [batch.data[0].asnumpy().sum((1, 2)).mean() for batch in iterator]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
