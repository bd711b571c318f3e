"""Whole runs on images that only colour tells apart, and whose text runs down, or whose ground has many colours."""

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
IN_COLOUR = {"image.width": 40, "image.height": 12, "image.channels": 3, "image.rotate": 90}
ON_TILES = {"image.width": 60, "image.height": 20, "image.crop": "[0.25, 0.3]", "image.ground": "subtract"}
SETTINGS = {
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


def write_images(folder, draw_one):
    """Write images, each named by its text, of which a function draws one with a generator."""
    generator = np.random.default_rng(0)
    for index in range(COUNT):
        text, image = draw_one(generator)
        cv2.imwrite(str(folder / f"{text}_{index}.png"), image)
    return folder


def draw(text):
    """Draw blocks of the colours that a text names, one below the other."""
    image = np.full((60, 18, 3), 250, np.uint8)
    for place, character in enumerate(text):
        image[4 + 15 * place :][:10, 4:14] = COLOURS[character]
    return image


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    def draw_one(generator):
        text = "".join(generator.choice(list(COLOURS), generator.integers(1, 4)))
        return text, draw(text)

    return write_images(tmp_path_factory.mktemp("blocks"), draw_one)


def draw_on_tiles(text, generator):
    """Draw a bar, thin or thick, on a tile of another colour for each character, between two dark bands."""
    image = np.full((40, 60, 3), 10, np.uint8)
    for place, character in enumerate(text):
        ink, ground = generator.integers(0, 100), generator.integers(160, 256)
        if generator.random() < 0.5:
            ink, ground = ground, ink
        tile = image[10:28, 20 * place : 20 * place + 20]
        tile[:] = ground
        tile[3:-3, 9 : 11 if character == "i" else 15] = ink
    return image


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    def draw_one(generator):
        text = "".join(generator.choice(list("im"), 3))
        return text, draw_on_tiles(text, generator)

    return write_images(tmp_path_factory.mktemp("tiles"), draw_one)


def learned(train, images, prefix, settings, epochs):
    """Train and export; return the exported model, which reads what the checkpoint does."""
    options = [f"--set={key}={value}" for key, value in {**settings, **SETTINGS}.items()]
    where = ["--train-data", images, "--prefix", prefix, "--format", "names", "--export-on-end"]
    result = train(one_thread(*where, *options, "--epochs", epochs))
    assert result.returncode == 0, result.stderr
    reader, predictor = Reader(load_checkpoint(str(prefix))), Predictor(prefix.with_suffix(".onnx"))
    assert predictor.preparation == reader.preparation
    for recognizer in reader, predictor:
        assert evaluate(recognizer, images, format="names").figures["exact_match"] > 0.95
    return predictor


def test_ink_on_tiles_of_any_colour_is_learned_and_exported(train, tiles, tmp_path):
    predictor = learned(train, tiles, tmp_path / "ocr", ON_TILES, 12)
    assert (predictor.preparation.crop, predictor.preparation.ground) == ((0.25, 0.3), "subtract")


def test_is_learned_and_exported(train, blocks, tmp_path):
    grey = {character: read_image(next(blocks.glob(f"{character}_*.png"))) for character in COLOURS}
    assert np.abs(grey["r"].astype(int) - grey["g"]).max() <= 1
    predictor = learned(train, blocks, tmp_path / "ocr", IN_COLOUR, 8)
    assert (predictor.preparation.channels, predictor.preparation.rotate) == (3, 90)
    (first, second) = predictor.predict(draw("rg")).characters
    assert (first.text, second.text) == ("r", "g")
    assert first.x < second.x < 40, "in pixels from the top, which is where the line begins"
