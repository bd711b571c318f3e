"""Training on images of one's own without an option, or with few."""

import string

import pytest

from ocr_lib import OCRError, evaluate, train
from ocr_lib.cli import generate, generate_text
from ocr_lib.net.manifest import read_manifest, read_recipe
from ocr_lib.zoo.recipes import model_recipe
from tests.toy import FONT

MODEL = "captcha-distorted"


@pytest.fixture(scope="module")
def captchas(tmp_path_factory):
    """Return the folders of 150 captchas to train on and 50 others."""
    folder = tmp_path_factory.mktemp("captchas")
    for name, count, seed in ("train", 150, 1), ("test", 50, 2):
        options = [
            f"--count={count}",
            f"--seed={seed}",
            f"--out={folder / name}",
            "--digits=4",
            "--num_proc=1",
            "--quiet",
        ]
        assert generate.main([str(FONT), *options]) == 0
    return folder


def recipe_of(prefix):
    return read_recipe(str(prefix), read_manifest(str(prefix)))


def test_letters_and_digits_are_read_at_once(captchas, tmp_path):
    trained = train(
        tmp_path / "ocr", train_data=captchas / "train", settings={"training.epochs": 2}, cpus=1, quiet=True
    )
    recipe = recipe_of(tmp_path / "ocr")
    assert recipe.name == "auto" and recipe.text.alphabet == "0123456789"
    assert recipe.image.size == (132, 48) and model_recipe(MODEL).image.size != (132, 48)
    assert trained.best.metrics["accuracy"] > 0.5
    assert evaluate(tmp_path / "ocr", captchas / "test").figures["exact_match"] > 0.5


@pytest.mark.parametrize(
    "texts, style, model",
    [("one line\nof some words\n", "scan", "printed-lines"), ("word\nphotograph\n", "photo", "words")],
)
def test_words_and_lines_are_read_at_once(tmp_path, texts, style, model):
    (tmp_path / "texts.txt").write_text(texts)
    drawn = ["--texts", str(tmp_path / "texts.txt"), "--style", style, "--count=40", "--num_proc=1", "--quiet"]
    assert generate_text.main([str(FONT), *drawn, "--out", str(tmp_path / "images")]) == 0
    settings = {"training.epochs": 1}
    trained = train(tmp_path / "ocr", train_data=tmp_path / "images", settings=settings, cpus=1, quiet=True)
    recipe = recipe_of(tmp_path / "ocr")
    assert recipe.image == model_recipe(model).image
    assert set(recipe.text.alphabet) == set(texts) - {"\n"}
    assert trained.best.metrics["cer"] < 0.2


@pytest.mark.parametrize("settings, lacking", [({}, ""), ({"text.alphabet": string.printable[:90] + " é"}, "{|}~")])
def test_lines_are_read_with_characters_that_none_of_the_few_has(tmp_path, settings, lacking):
    (tmp_path / "texts.txt").write_text(f"{string.ascii_lowercase} é\n{string.ascii_uppercase}\n0123456789 !?.,;:\n")
    drawn = ["--texts", str(tmp_path / "texts.txt"), "--style", "scan", "--count=20", "--num_proc=1", "--quiet"]
    assert generate_text.main([str(FONT), *drawn, "--out", str(tmp_path / "images")]) == 0
    once = {"training.epochs": 1, **settings}
    train(tmp_path / "ocr", train_data=tmp_path / "images", settings=once, cpus=1, quiet=True)
    alphabet = {*string.printable[:95], "é"}
    assert set(recipe_of(tmp_path / "ocr").text.alphabet) == alphabet - set(lacking)


def test_a_network_of_ones_own_begins_with_nothing(captchas, tmp_path):
    settings = {"training.epochs": 1, "network.hidden": 20, "network.layers": 1}
    train(tmp_path / "ocr", train_data=captchas / "test", settings=settings, cpus=1, quiet=True)
    network = recipe_of(tmp_path / "ocr").network
    assert network.hidden == 20
    assert all(convolution.batch_norm for convolution in network.convolutions)  # exported models have none


def test_a_checkpoint_of_ones_own_keeps_its_network_and_image(captchas, tmp_path):
    own = {"training.epochs": 1, "network.hidden": 20, "image.width": 90, "image.height": 40}
    train(tmp_path / "first", train_data=captchas / "test", settings=own, cpus=1, quiet=True)
    begun = {"pretrained": tmp_path / "first", "cpus": 1, "quiet": True}
    train(tmp_path / "second", train_data=captchas / "test", settings={"training.epochs": 1}, **begun)
    recipe = recipe_of(tmp_path / "second")
    assert (recipe.network.hidden, recipe.image.size) == (20, (90, 40))
    larger = {"training.epochs": 1, "image.width": 120, "image.height": 48}
    train(tmp_path / "third", train_data=captchas / "test", settings=larger, **begun)
    recipe = recipe_of(tmp_path / "third")
    assert (recipe.network.hidden, recipe.image.size) == (20, (120, 48))
    with pytest.raises(OCRError, match="network.hidden=21 is not what"):
        train(tmp_path / "fourth", train_data=captchas / "test", settings={"network.hidden": 21}, **begun)
