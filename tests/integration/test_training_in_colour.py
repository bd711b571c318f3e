"""A whole run on images that only colour tells apart, and whose text runs down."""

import cv2
import numpy as np
import pytest

from ocr_lib.deploy import Predictor
from ocr_lib.images.decode import read_image
from ocr_lib.jobs.evaluate import evaluate
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from tests.train_command import one_thread

COUNT = 300
COLOURS = {"r": (0, 0, 255), "g": (0, 130, 0)}  # of one grey
SETTINGS = {
    "image.width": 40,
    "image.height": 12,
    "image.channels": 3,
    "image.rotate": 90,
    "augmentation.shear": 0.1,
    "augmentation.noise": 4,
    "network.convolutions": '[{"filters": 8, "pool": [2, 2]}]',
    "network.layers": 1,
    "network.hidden": 12,
    "training.batch_size": 8,
    "training.parts": 2,
    "training.learning_rate": 0.02,
    "training.schedule": "constant",
    "training.warmup": 0,
}


def draw(text):
    """Draw blocks of the colours that a text names, one below the other."""
    image = np.full((60, 18, 3), 250, np.uint8)
    for place, character in enumerate(text):
        image[4 + 15 * place :][:10, 4:14] = COLOURS[character]
    return image


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    generator = np.random.default_rng(0)
    for index in range(COUNT):
        text = "".join(generator.choice(list(COLOURS), generator.integers(1, 4)))
        cv2.imwrite(str(folder / f"{text}_{index}.png"), draw(text))
    return folder


def test_is_learned_and_exported(train, blocks, tmp_path):
    grey = {character: read_image(next(blocks.glob(f"{character}_*.png"))) for character in COLOURS}
    assert np.abs(grey["r"].astype(int) - grey["g"]).max() <= 1
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    where = ["--train-data", blocks, "--prefix", tmp_path / "ocr", "--format", "names", "--export-on-end"]
    result = train(one_thread(*where, *settings, "--epochs", 8))
    assert result.returncode == 0, result.stderr
    reader, predictor = Reader(load_checkpoint(str(tmp_path / "ocr"))), Predictor(tmp_path / "ocr.onnx")
    assert predictor.preparation == reader.preparation
    assert (predictor.preparation.channels, predictor.preparation.rotate) == (3, 90)
    for recognizer in reader, predictor:
        found = evaluate(recognizer, blocks, format="names")
        assert found.figures["exact_match"] > 0.95
    (first, second) = predictor.predict(draw("rg")).characters
    assert (first.text, second.text) == ("r", "g")
    assert first.x < second.x < 40, "in pixels from the top, which is where the line begins"
