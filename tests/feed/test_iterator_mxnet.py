"""MXNet's own uses of a data iterator, on batches from worker processes: captchas, and lines of any width."""

import logging
from functools import partial
from itertools import islice

import numpy as np
import pytest

import ocr_lib
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import evaluate
from tests.feed.lines_on_disk import line_recipe, write_lines
from tests.small_network import WIDTH, draw_marks, mark_params, mark_recipe
from tests.toy import FONT, toy_recipe

BATCH, TRAIN, VALIDATION = 8, 68, 27  # the last batches have 4 and 3 samples
SIZES = [("training.epoch_size", TRAIN), ("training.validation_size", VALIDATION)]


def make_captchas(folder):
    return ocr_lib.captchas(toy_recipe(*SIZES), FONT, num_proc=1)


def make_lines(folder):
    if not any(folder.iterdir()):
        generator = np.random.default_rng(1)
        texts = ["".join(generator.choice(list("ab"), 1 + n % 3)) for n in range(TRAIN + VALIDATION)]
        write_lines(folder, [(text, 16, 20 + 3 * n % 50) for n, text in enumerate(texts)])
    recipe = line_recipe(("training.learning_rate", 0.005))
    return ocr_lib.labelled(recipe, folder, held_out=VALIDATION / (TRAIN + VALIDATION), num_proc=1)


@pytest.fixture(scope="module", params=[make_captchas, make_lines], ids=["captchas", "lines"])
def make(request, tmp_path_factory):
    """Return a function that returns iterators at the beginning of their first epoch."""
    return partial(request.param, tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def feed(make):
    return make()


@pytest.fixture(scope="module")
def captchas():
    return make_captchas(None)


def module_of(feed, context=None):
    inputs = [description.name for description in feed.train.provide_data]
    return mx.mod.Module(ocr_lib.training_symbol(feed.train.recipe), inputs, ["label"], context=context or mx.cpu())


def ready(feed, context=None):
    """Return a module with parameters that read something, if nothing right."""
    mx.random.seed(3)
    module = module_of(feed, context)
    module.bind(feed.validation.provide_data, feed.validation.provide_label, for_training=False)
    module.init_params(mx.init.Xavier(magnitude=40))
    return module


def fit(train, feed, epochs=2, **options):
    mx.random.seed(0)
    module = module_of(feed)
    module.fit(
        train,
        eval_metric=ocr_lib.text_metrics(feed.train.recipe),
        optimizer="adam",
        optimizer_params={"learning_rate": feed.train.recipe.training.learning_rate},
        initializer=mx.init.Xavier(),
        num_epoch=epochs,
        **options,
    )
    return module


def images_of(batch, recipe):
    """Return the images (N, H, W) uint8 that a batch was made from."""
    grey = batch.data[0].asnumpy() * recipe.image.scale + recipe.image.mean
    return np.rint(grey).astype(np.uint8).swapaxes(1, 2)


def texts_of(recipe, probabilities):
    """Decode probabilities (N, T', C)."""
    return [recipe.alphabet.decode(ids) for ids in best_path(probabilities.asnumpy().swapaxes(0, 1))]


def each_alone(module, iterator):
    """Return the outputs of each sample, from a forward pass of a batch of its own."""
    iterator.reset()
    found = []
    for batch in iterator:
        for n in range(len(batch.texts)):
            module.forward(mx.io.DataBatch([a[n : n + 1] for a in batch.data], [a[n : n + 1] for a in batch.label]))
            found.append([output.asnumpy()[0] for output in module.get_outputs()])
    return found


def test_fit(feed, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    prefix = str(tmp_path / "net")
    losses = []
    module = fit(
        feed.train,
        feed,
        epochs=3,
        eval_data=feed.validation,
        batch_end_callback=[
            lambda now: losses.append(dict(now.eval_metric.get_name_value())["loss"]),
            mx.callback.Speedometer(BATCH, 4),
        ],
        epoch_end_callback=mx.callback.do_checkpoint(prefix),
    )
    said = [record.getMessage() for record in caplog.records if record.name == "root"]
    for start in (
        "Epoch[0] Batch [0-4]",
        "Epoch[2] Train-accuracy=",
        "Epoch[2] Validation-cer=",
        "Epoch[2] Time cost=",
    ):
        assert any(line.startswith(start) for line in said), start
    assert len(losses) == 3 * -(-TRAIN // BATCH) and losses[-1] < losses[8]
    ocr_lib.save_recipe(prefix, feed.train.recipe)
    saved = load_checkpoint(prefix, 3)
    for name, array in values(module).items():
        np.testing.assert_array_equal({**saved.arg_params, **saved.aux_params}[name].asnumpy(), array)


@pytest.mark.parametrize("width", [WIDTH, None])
@pytest.mark.parametrize("rows", [1, 3, 4])
def test_predicted_texts_are_those_of_the_images(width, rows, tmp_path):
    """A network that is made by hand reads marks, whose texts are known."""
    recipe = ocr_lib.override(mark_recipe(), {"image.width": width, "training.batch_size": 4})
    texts = [str(number)[: number % 4 + 1] for number in range(90210, 90218 + rows)]
    marks = np.stack([draw_marks([int(digit) for digit in text]) for text in texts])
    parts = [slice(start, start + 4) for start in range(0, len(texts), 4)]
    batches = [Batch(marks[part], texts[part], np.full(len(texts[part]), WIDTH)) for part in parts]
    samples = ocr_lib.OCRIter(batches, recipe)
    inputs = [description.name for description in samples.provide_data]
    module = mx.mod.Module(ocr_lib.training_symbol(recipe), inputs, ["label"])
    module.bind(samples.provide_data, samples.provide_label, for_training=False)
    module.set_params({name: mx.nd.array(array) for name, array in mark_params().items()}, {})
    for _ in range(2):
        probabilities, costs = module.predict(samples)
        assert texts_of(recipe, probabilities) == texts and costs.shape == (len(texts),)
        assert dict(module.score(samples, ocr_lib.text_metrics(recipe)))["accuracy"] == 1
    module.save_checkpoint(str(tmp_path / "marks"), 1)
    ocr_lib.save_recipe(str(tmp_path / "marks"), recipe)
    assert [reading.text for reading in ocr_lib.load(tmp_path / "marks").predict(list(marks))] == texts


def test_score(feed):
    module = ready(feed)
    found = dict(module.score(feed.validation, ocr_lib.text_metrics(feed.train.recipe)))
    assert found == dict(module.score(feed.validation, ocr_lib.text_metrics(feed.train.recipe))), "the same samples"
    feed.validation.reset()
    truth = [text for batch in feed.validation for text in batch.texts]
    alone = each_alone(module, feed.validation)
    read = [texts_of(feed.train.recipe, mx.nd.array(probabilities[None]))[0] for probabilities, _ in alone]
    figures = evaluate(truth, read)
    assert len(truth) == VALIDATION and len(set(read)) > 2
    for name in ("accuracy", "accuracy_lcs", "cer"):
        assert found[name] == pytest.approx(figures[name])
    assert found["loss"] == pytest.approx(np.mean([cost for _, cost in alone]), rel=1e-4)


@pytest.mark.parametrize("num_batch", [None, 1, 3, 4])
def test_predict(captchas, num_batch):
    module = ready(captchas)
    probabilities, costs = module.predict(captchas.validation, num_batch)
    count = VALIDATION if num_batch is None else min(VALIDATION, num_batch * BATCH)
    recipe = captchas.train.recipe
    assert probabilities.shape == (count, recipe.time_steps, recipe.alphabet.num_classes) and costs.shape == (count,)
    for n, (expected, cost) in enumerate(each_alone(module, captchas.validation)[:count]):
        np.testing.assert_allclose(probabilities[n].asnumpy(), expected, atol=1e-5)
        assert costs[n].asscalar() == pytest.approx(cost, rel=1e-4)


def test_predict_of_each_batch(feed):
    module = ready(feed)
    found = module.predict(feed.validation, merge_batches=False)
    alone = each_alone(module, feed.validation)
    assert [len(probabilities) for probabilities, _ in found] == [8, 8, 8, 3]
    for output, (expected, _) in zip((each for probabilities, _ in found for each in probabilities), alone):
        np.testing.assert_allclose(output.asnumpy()[: len(expected)], expected[: output.shape[0]], atol=1e-5)


def test_iter_predict(feed):
    module = ready(feed)
    found = module.predict(feed.validation, merge_batches=False)
    numbers, texts = [], []
    for outputs, number, batch in module.iter_predict(feed.validation):
        numbers.append(number)
        texts += batch.texts
        for output, expected in zip(outputs, found[number]):
            np.testing.assert_array_equal(output.asnumpy(), expected.asnumpy())
    assert numbers == [0, 1, 2, 3] and len(texts) == VALIDATION


def values(module):
    return {name: array.asnumpy() for part in module.get_params() for name, array in part.items()}


def assert_same(one, other):
    for name, array in values(one).items():
        np.testing.assert_allclose(values(other)[name], array, atol=1e-3, err_msg=name)


def test_prefetching_changes_nothing(make):
    plain, source = make(), make()
    prefetched = [mx.io.PrefetchingIter(iterator) for iterator in source]
    module = fit(plain.train, plain, eval_data=plain.validation)
    assert_same(module, fit(prefetched[0], source, eval_data=prefetched[1]))
    metrics = ocr_lib.text_metrics(plain.train.recipe)
    scores = [dict(module.score(iterator, metrics)) for iterator in (plain.validation, *prefetched[1:] * 2)]
    assert scores[0] == scores[1] == scores[2]
    for outputs, others in zip(
        *(module.predict(samples, merge_batches=False) for samples in (plain.validation, prefetched[1]))
    ):
        for output, expected in zip(outputs, others):
            np.testing.assert_array_equal(output.asnumpy(), expected.asnumpy())


@pytest.mark.parametrize("size", [4, 9, 20])
def test_resized_epochs(make, size):
    """An epoch of 9 batches becomes one of fewer or more, be each whole or not."""
    resized = mx.io.ResizeIter(make().validation, size)
    plain = make().validation
    whole = [batch.label[0].asnumpy().tolist() for batch in plain]
    for _ in range(2):
        labels = [batch.label[0].asnumpy().tolist() for batch in resized]
        assert labels == [whole[n % len(whole)] for n in range(size)]
        resized.reset()


@pytest.mark.parametrize("reset_internal", [True, False])
def test_fit_of_resized_epochs(make, reset_internal):
    """Of three batches each: with resets they are the first of as many epochs, without they follow one another."""
    feed, plain, told = make(), make().train, []
    resized = mx.io.ResizeIter(feed.train, 3, reset_internal)
    fit(
        resized, feed, epochs=4, batch_end_callback=lambda now: told.append(now.locals["data_batch"].label[0].asnumpy())
    )
    expected = []
    for count in [3] * 4 if reset_internal else [9, 3]:
        expected += [batch.label[0].asnumpy() for batch in islice(plain, count)]
        plain.reset()
    assert [label.tolist() for label in told] == [label.tolist() for label in expected]


def test_two_devices_need_a_row_each(captchas):
    pair = [mx.cpu(0), mx.cpu(1)]
    recipe = captchas.train.recipe
    captchas.validation.reset()
    batches = [Batch(images_of(batch, recipe), batch.texts, batch.widths) for batch in captchas.validation]
    last = batches[-1]
    batches[-1] = Batch(last.images[:1], last.texts[:1], last.widths[:1])
    module = ready(captchas, pair)
    found = [module.predict(ocr_lib.OCRIter(batches, recipe, least_rows=least))[0] for least in (2, 3, 8)]
    single = ready(captchas)
    single.set_params(*module.get_params())
    expected = single.predict(ocr_lib.OCRIter(batches, recipe))[0].asnumpy()
    assert len(expected) == 25
    for probabilities in found:
        np.testing.assert_allclose(probabilities.asnumpy(), expected, atol=1e-5)


def test_goes_on_after_an_exception(make):
    def stop(now):
        if now.nbatch == 3:
            raise KeyboardInterrupt

    broken, whole = make(), make()
    with pytest.raises(KeyboardInterrupt):
        fit(broken.train, broken, batch_end_callback=stop)
    broken.train.reset()
    list(whole.train)
    whole.train.reset()
    for batch, expected in zip(broken.train, whole.train):
        assert batch.texts == expected.texts
        np.testing.assert_array_equal(batch.data[0].asnumpy(), expected.data[0].asnumpy())
