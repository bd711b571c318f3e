"""Every preset's network computes, learns from a batch, and reads without what only training needs."""

import numpy as np
import pytest

from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.source import Batch
from ocr_lib.geometry import least_size
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.settings import load_preset, override, preset_names
from ocr_lib.training.initial import initial_weights, with_steps
from ocr_lib.training.layout import is_average

STEPS = {
    "captcha": 40,
    "captcha-w4a4": 40,
    "crnn": 24,
    "mindspore-warpctc": 160,
    "mxnet-ctc": 80,
    "scan": 80,
    "text-line": 80,
    "uw3-bilstm": 320,
    "uw3-hls": 320,
    "uw3-w2a4": 320,
    "word": 25,
}
CLASSES = {**dict.fromkeys(STEPS, 11), "crnn": 37}


def test_there_are_no_others():
    assert preset_names() == sorted(CLASSES) == sorted(STEPS)


@pytest.mark.parametrize("name", preset_names())
def test_a_training_step(name):
    recipe = override(load_preset(name), [("training.batch_size", 2)])
    width = recipe.image.width or 320
    assert width >= least_size(recipe.network.shrinkage(0))
    texts = [recipe.text.alphabet[:3], recipe.text.alphabet[1:3]]
    images = np.random.default_rng(0).integers(0, 256, (2, recipe.image.height, width), np.uint8)
    drawn = Batch(images, texts, np.array([width, width]))
    samples = OCRIter([drawn], recipe)
    batch = samples.next()
    module = mx.mod.Module(training_symbol(recipe), [d.name for d in samples.provide_data], ["label"])
    module.bind(batch.provide_data, batch.provide_label)
    weights = with_steps(recipe, initial_weights(recipe), [drawn])
    params = {name: mx.nd.array(array) for name, array in weights.items()}
    averages = {name: params.pop(name) for name in filter(is_average, list(params))}
    module.init_params(arg_params=params, aux_params=averages)
    module.init_optimizer(optimizer="sgd", optimizer_params={"learning_rate": 1e-3})
    costs = []
    for _ in range(2):
        module.forward_backward(batch)
        module.update()
        probabilities, cost = (output.asnumpy() for output in module.get_outputs())
        costs.append(cost.sum())
    assert probabilities.shape == (2, STEPS[name], CLASSES[name])
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, atol=1e-5)
    assert np.isfinite(costs).all() and costs[1] < costs[0]
