"""Models that come with the package: named, small, described, and able to read."""

import configparser
import importlib
import json
import logging
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

import ocr_lib
from ocr_lib import OCRError, Predictor
from ocr_lib.draw.captcha import CaptchaRenderer, num_draws
from ocr_lib.draw.fonts import Font
from ocr_lib.draw.text.coverage import find_coverage
from ocr_lib.draw.text.renderer import TextRenderer
from ocr_lib.recipe.captcha import CaptchaRecipe
from ocr_lib.recipe.rendering import STYLES
from ocr_lib.zoo.models import FOLDER, model_names, model_path

ROOT = Path(__file__).parents[2]
FONT = ROOT / "font" / "Ubuntu-M.ttf"
LEAST = {
    "captcha-alphanumeric": 0.9,
    "captcha-digits": 0.9,
    "captcha-distorted": 0.7,
    "printed-lines": 0.6,
    "words": 0.7,
}
"""The models, and what they are to read at least."""

RENDERED = {"words": "photo", "printed-lines": "scan"}
"""Those that read rendered texts, and in which style."""

WORDS = "Street EXIT market Hotel 24 coffee OPEN Garden museum 1984 Bridge welcome PARKING station News".split()


def captchas(alphabet, count=30, length=4, seed=5):
    """Return texts and their images, as the captcha package draws them."""
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list(alphabet), length)) for _ in range(count)]
    fonts = [Font(ROOT / "font" / name) for name in ("Ubuntu-M.ttf", "Lato-Black.ttf")]
    images = CaptchaRenderer(CaptchaRecipe(), fonts).render(texts, random.random((count, num_draws(length))))
    return texts, list(images)


def rendered(style, count=30, seed=5):
    """Return words, or lines of five of them, and their images in a style."""
    characters = "".join(sorted(set(" ".join(WORDS))))
    renderer = TextRenderer(STYLES[style], find_coverage(ROOT / "font", characters, tells_case=True))
    size = 5 if style == "scan" else 1
    texts = [" ".join((WORDS * 2)[index % len(WORDS) :][:size]) for index in range(count)]
    return texts, [renderer.draw(text, np.random.default_rng([seed, n])) for n, text in enumerate(texts)]


def read_by(name, predictor):
    """Return texts of the kind that a model is for, and their images."""
    return rendered(RENDERED[name]) if name in RENDERED else captchas(predictor.alphabet.characters)


def test_their_names():
    assert model_names() == sorted(LEAST)


@pytest.mark.parametrize("name", LEAST)
class TestModel:
    def test_reads(self, name):
        predictor = Predictor(name)
        texts, images = read_by(name, predictor)
        right = sum(a == b.text for a, b in zip(texts, predictor.predict(images)))
        assert right >= LEAST[name] * len(texts)

    def test_reads_images_of_other_sizes(self, name):
        predictor = ocr_lib.load(name)
        texts, images = read_by(name, predictor)
        doubled = [image.repeat(2, 0).repeat(2, 1) for image in images]
        right = sum(a == b.text for a, b in zip(texts, predictor.predict(doubled)))
        assert right >= LEAST[name] * len(texts)

    def test_is_small_and_has_a_card(self, name):
        path = model_path(name)
        card = json.loads(path.with_suffix(".json").read_bytes())
        assert path.stat().st_size == card["bytes"] < (4_000_000 if name in RENDERED else 400_000)
        assert card["license"] == Predictor(name).metadata.license == "Apache-2.0"
        assert card["figures"]["images"] == 2000
        assert card["figures"]["exact_match"] > LEAST[name]
        fonts = card["fonts"]
        if name in RENDERED:
            assert fonts["held_out"] and not set(fonts["packages"]) & set(fonts["held_out"])
            return
        trained, held_out = ({f for names in fonts[kind].values() for f in names} for kind in ("debian", "held_out"))
        assert held_out and not trained & held_out

    def test_is_in_the_wheel(self, name):
        config = configparser.ConfigParser()
        config.read(ROOT / "setup.cfg")
        patterns = config["options.package_data"]["ocr_lib"].split(", ")
        for suffix in ".onnx", ".json":
            assert any(fnmatch(f"zoo/{name}{suffix}", pattern) for pattern in patterns)


def test_no_more_than_onnx_runtime_is_needed():
    program = """
import sys
for name in "mxnet", "msgspec", "onnx", "numba", "captcha", "fontTools":
    sys.modules[name] = None
import ocr_lib
print(type(ocr_lib.load("captcha-digits")).__name__, len(ocr_lib.Predictor("captcha-alphanumeric").alphabet.characters))
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout.split() == [b"Predictor", b"48"]


@pytest.mark.parametrize("name", ["captcha-digit", "none", "", "captcha-digits.json"])
def test_another_name_is_answered_with_those_that_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name:
        with pytest.raises(OCRError, match=f"^{name}: no such file, nor one of the models captcha-alph.*, words$"):
            Predictor(name)
    with pytest.raises(OCRError):
        Predictor(name)


def test_a_file_of_the_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "captcha-digits"
    own.write_bytes((FOLDER / "captcha-alphanumeric.onnx").read_bytes())
    assert len(Predictor("captcha-digits").alphabet.characters) == 48
    own.unlink()
    own.with_name("captcha-alphanumeric.onnx").write_bytes((FOLDER / "captcha-digits.onnx").read_bytes())
    assert len(Predictor("captcha-digits").alphabet.characters) == 10
    assert len(Predictor("captcha-alphanumeric").alphabet.characters) == 48


class TestTraining:
    """What needs MXNet."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        importlib.import_module("ocr_lib.mx")
        monkeypatch.chdir(tmp_path)
        return tmp_path

    @pytest.mark.parametrize("name", LEAST)
    def test_begins_with_one(self, name, folder, caplog):
        caplog.set_level(logging.INFO, "ocr_lib")
        ocr_lib.train("new", fonts=FONT, pretrained=name, num_proc=1, cpus=1, dry_run=True, quiet=True)
        assert "Dry run: all is ready" in caplog.text
        assert not list(folder.iterdir())

    @pytest.mark.parametrize("preset", ["scan", "text-line"])
    def test_a_preset_of_its_network_may_be_named(self, folder, preset, caplog):
        caplog.set_level(logging.INFO, "ocr_lib")
        (folder / "texts.txt").write_text("some lines of text\nand some more of it\n" * 9)
        options = {"num_proc": 1, "cpus": 1, "dry_run": True, "quiet": True}
        ocr_lib.train("new", preset, FONT, texts=["texts.txt"], pretrained="printed-lines", **options)
        assert "Dry run: all is ready" in caplog.text

    def test_loses_nothing_at_the_beginning(self):
        settings = {"training.epoch_size": 32, "training.validation_size": 100, "training.learning_rate": 1e-6}
        settings["training.epochs"] = 1
        options = {"num_proc": 1, "cpus": 1, "quiet": True}
        trained = ocr_lib.train("new", fonts=FONT, pretrained="captcha-digits", settings=settings, **options)
        assert trained.best.metrics["accuracy"] > 0.9

    def test_names_are_told_where_one_is_mistyped(self):
        for use in ocr_lib.load, lambda name: ocr_lib.train("new", fonts=FONT, pretrained=name):
            with pytest.raises(
                OCRError, match="^captcha-digit: no such checkpoint, nor one of the models captcha-alph"
            ):
                use("captcha-digit")

    def test_a_checkpoint_at_the_prefix_goes_first(self, folder):
        (folder / "captcha-digits-symbol.json").write_text("{}")
        for use in ocr_lib.load, lambda name: ocr_lib.train("new", fonts=FONT, pretrained=name):
            with pytest.raises(OCRError, match=r"captcha-digits-NNNN.params: no such file"):
                use("captcha-digits")
