"""Checkpoints of MXNet's example read odd images as its own script does, in every form that is made of them."""

from pathlib import Path
from typing import Dict, List, NamedTuple

import cv2
import numpy as np
import pytest

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.images.decode import read_image
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.quant.int8 import quantize
from ocr_lib.recipe.settings import encode_json
from ocr_lib.recognize.decode import best_path
from tests import original_example
from tests.quant.networks import with_onednn

SHAPES = [(60, 160), (30, 80), (1, 1), (2, 3), (3, 2), (1, 900), (900, 1), (7, 1200), (1500, 4), (31, 79), (400, 640)]
CALIBRATION = 64
MANY = [pytest.mark.slow, pytest.mark.timeout(1200)]


def smooth(rng, shape):
    image = cv2.GaussianBlur(rng.integers(0, 256, shape).astype(np.uint8), (0, 0), 3)
    return cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)


KINDS = {
    "dark": lambda rng, shape: smooth(rng, shape) // 4,
    "light": lambda rng, shape: 255 - smooth(rng, shape) // 4,
    "black": lambda rng, shape: np.zeros(shape, np.uint8),
    "white": lambda rng, shape: np.full(shape, 255, np.uint8),
    "inverted": lambda rng, shape: 255 - cv2.putText(np.full(shape, 250, np.uint8), "4711", (5, 25), 0, 1, 10, 2),
    "text": lambda rng, shape: cv2.putText(np.full(shape, 250, np.uint8), "4711", (5, 25), 0, 1, 10, 2),
    "colour": lambda rng, shape: rng.integers(0, 256, (*shape, 3), np.uint8),
    "smooth-colour": lambda rng, shape: smooth(rng, (*shape, 3)),
    "noise": lambda rng, shape: rng.integers(0, 256, shape, np.uint8),
}


def odd_images(folder, count, seed):
    """Write so many images of all kinds and shapes; return their paths."""
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(count):
        kind = list(KINDS)[i % len(KINDS)]
        shape = SHAPES[rng.integers(len(SHAPES))] if i % 2 else tuple(rng.integers(1, 200, 2).tolist())
        paths.append(folder / f"{i:03d}-{kind}.png")
        assert cv2.imwrite(str(paths[-1]), KINDS[kind](rng, shape))
    return paths


class Case(NamedTuple):
    """Checkpoints of one random network of the example's, images, and their texts as its own script reads them."""

    prefixes: Dict[str, str]
    paths: List[Path]
    texts: List[str]

    def images(self):
        return [read_image(path) for path in self.paths]


FEW = [pytest.param((seed, 20), id=str(seed)) for seed in range(3)]
ALL = [pytest.param((seed, 100), id=f"{seed}-all", marks=MANY) for seed in range(20)]


@pytest.fixture(scope="module", params=[*FEW, *ALL])
def case(request, tmp_path_factory):
    seed, count = request.param
    folder = tmp_path_factory.mktemp("odd")
    prefixes = {loss: str(folder / loss) for loss in ("ctc", "warpctc")}
    for prefix in prefixes.values():
        original_example.save(prefix, params=original_example.random_params(seed))
    Path(f"{prefixes['warpctc']}-symbol.json").write_text(original_example.warpctc_symbol())
    paths = odd_images(folder, count, seed)
    script = original_example.script(prefixes["ctc"])
    texts = ["".join(map(str, script(path)[0])) for path in paths]
    assert len(set(texts)) > count / 4, "the images are read too much alike to tell anything"
    return Case(prefixes, paths, texts)


def texts_of(readings):
    return [reading.text for reading in readings]


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
def test_the_checkpoint(case, loss):
    reader = Reader(load_checkpoint(case.prefixes[loss]), 16)
    assert texts_of(reader.read(case.images())) == case.texts


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
def test_exported(case, loss):
    checkpoint = load_checkpoint(case.prefixes[loss])
    predictor = Predictor(export_onnx(checkpoint.recipe, numpy_weights(checkpoint)))
    assert texts_of(predictor.predict(case.paths)) == case.texts


@with_onednn
def test_of_8_bits_is_fed_as_the_script_feeds_its_own(case):
    """Other numbers may give other texts; being fed otherwise may not."""
    checkpoint = load_checkpoint(case.prefixes["ctc"])
    fed = np.stack([original_example.prepare(path) for path in case.paths])
    symbol, params = quantize(checkpoint, fed[:CALIBRATION])
    prefix = f"{case.prefixes['ctc']}-int8"
    symbol.save(f"{prefix}-symbol.json")
    mx.nd.save(f"{prefix}-0000.params", params)
    Path(f"{prefix}-recipe.json").write_bytes(encode_json(checkpoint.recipe))
    reader = Reader(load_checkpoint(prefix), len(fed))
    expected = [checkpoint.recipe.alphabet.decode(ids) for ids in best_path(reader.probabilities(fed))]
    assert texts_of(reader.read(case.images())) == expected
    assert len(set(expected)) > len(fed) / 4, "the images are read too much alike to tell anything"
