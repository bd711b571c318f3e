"""Training on words and lines that are rendered from text files."""

import json

import pytest

import ocr_lib
from ocr_lib import OCRError
from ocr_lib.cli.generate_text import main as generate
from tests.toy import FONT
from tests.train_command import one_thread, refused, shared_process

SETTINGS = {
    "image.width": 40,
    "image.height": 16,
    "rendering": "plain",
    "rendering.height": 16,
    "text.max_length": 3,
    "text.rare": 0,
    "text.casing": 0,
    "text.punctuation": 0,
    "network.convolutions": [{"filters": 8}, {"filters": 16}],
    "network.layers": 1,
    "network.hidden": 16,
    "training.batch_size": 8,
    "training.parts": 1,
    "training.epoch_size": 400,
    "training.validation_size": 60,
    "training.epochs": 4,
    "training.learning_rate": 0.02,
    "training.warmup": 0.1,
}


@pytest.fixture(scope="module")
def train():
    with shared_process() as command:
        yield command


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("ox\nme\nyou\n")
    return path


def arguments(words, prefix, preset=True, **changes):
    settings = {**SETTINGS, "text.sources": [], **changes}
    settings = [
        f"--set={key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items()
    ]
    named = ["--preset", "word"] if preset else []
    return one_thread(FONT, "--texts", words, "--prefix", prefix, *named, *settings)


def test_words_are_learnt_and_read_and_the_run_goes_on(train, words, tmp_path):
    prefix = tmp_path / "ocr"
    result = train(arguments(words, prefix))
    assert result.returncode == 0, result.stderr
    assert f"texts of {words} in 1 fonts" in result.stderr
    reader = ocr_lib.load(prefix)
    assert reader.alphabet.characters == "emouxy"
    for text in "ox", "me", "you":
        image = tmp_path / f"{text}.png"
        assert generate([str(FONT), str(image), "--text", text, "--seed", "1"]) == 0
        assert reader.predict([image])[0].text == text
    result = train(one_thread(FONT, "--prefix", prefix, "--resume", "--set=training.epochs=5"))
    assert result.returncode == 0, result.stderr
    assert "Epoch[4]" in result.stderr and "Epoch[3]" not in result.stderr
    assert "leave out --texts" in refused(train(one_thread(FONT, "--texts", words, "--prefix", prefix, "--resume")))
    words.write_text("ox\nme\n")
    assert "not the samples that this run was begun with" in refused(
        train(one_thread(FONT, "--prefix", prefix, "--resume", "--set=training.epochs=6"))
    )


def test_running_text_is_trained_on_in_lines(train, tmp_path):
    running = tmp_path / "running.txt"
    running.write_text("so we go on to it as so we go " * 9)
    sizes = {"image.width": None, "text.min_length": 2, "text.max_length": 9, "training.epochs": 1}
    result = train([*arguments(running, tmp_path / "lines", preset=False, **sizes), "--dry-run"])
    assert result.returncode == 0, result.stderr
    assert "Recipe scan on 1 core" in result.stderr


def test_calibration_and_comparison_are_on_rendered_words(train, words, tmp_path):
    prefix = tmp_path / "ocr"
    assert train([*arguments(words, prefix, **{"training.epochs": 1}), "--export-on-end"]).returncode == 0
    exported = ocr_lib.export(prefix, tmp_path / "model.onnx", samples=FONT, int8=True, max_drop=1.0)
    assert exported.comparison.count > 0
    words.unlink()
    with pytest.raises(OCRError, match=r"words.txt: No such file or directory; --samples takes fonts, a folder"):
        ocr_lib.export(prefix, tmp_path / "other.onnx", samples=FONT)


@pytest.mark.parametrize(
    "more, error",
    [
        (["--train-data", "."], "give either fonts, or --train-data"),
        (["--texts", "none.txt"], "texts none.txt: No such file or directory"),
        (["--alphabet", "xyz"], "none of its 3 words is of the alphabet, can be drawn, and has 1 to 3 characters"),
        (["--set=rendering=foto"], "rendering: foto is none of the styles plain, scan, photo"),
        (["--set=rendering.ground.pictures=none"], "none: no such folder"),
    ],
)
def test_what_is_wrong_is_told_before_any_worker_starts(train, words, tmp_path, more, error):
    assert error in refused(train([*arguments(words, tmp_path / "new"), *more]))
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]
