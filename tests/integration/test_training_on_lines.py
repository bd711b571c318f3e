"""Whole runs of the training command on text lines of any width."""

import json

import cv2
import numpy as np
import pytest

from ocr_lib.cli import eval as evaluate_command
from ocr_lib.deploy import Predictor
from ocr_lib.files import sha256
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.manifest import read_manifest
from ocr_lib.net.reader import Reader
from ocr_lib.sets.dataset import open_dataset
from tests.train_command import one_thread

COUNT = 120
EPOCHS = 3
SETTINGS = {
    "image.height": 16,
    "augmentation.scale": 0.1,
    "network.convolutions": '[{"filters": 8, "pool": [2, 2]}, {"filters": 8, "pool": [2, 2]}]',
    "network.layers": 1,
    "network.hidden": 16,
    "network.dropout": 0.1,
    "network.output_norm": "true",
    "training.learning_rate": 0.02,
    "training.sorted_epochs": 1,
    "training.schedule": "constant",
    "training.warmup": 0,
}


def draw(text, number=0):
    """Draw a line, dark on light, as wide as it needs; each number has greys of its own."""
    paper, ink = 255 - number % 32, 20 + number // 32
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 2)
    image = np.full((24, width + 8), paper, np.uint8)
    return cv2.putText(image, text, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Return a folder of lines of 1 to 12 characters, and one of a label far too long for its image."""
    folder = tmp_path_factory.mktemp("lines") / "set"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for index in range(COUNT):
        text = "".join(generator.choice(list("abc"), generator.integers(1, 13)))
        cv2.imwrite(str(folder / f"{index:03}.png"), draw(text, index))
        (folder / f"{index:03}.gt.txt").write_text(text)
    cv2.imwrite(str(folder / "long.png"), draw("a"))
    (folder / "long.gt.txt").write_text("abcabc")
    return folder


def begin(data, prefix, *arguments):
    """Return the arguments of a new run."""
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    where = ["--train-data", data, "--held-out", 0.2, "--prefix", prefix, "--preset", "text-line"]
    return one_thread(*where, *settings, "--epochs", EPOCHS, *arguments)


def hashes(prefix):
    return {path.name: sha256(path) for path in prefix.parent.glob("*.params")}


@pytest.fixture(scope="module")
def straight(train, lines, tmp_path_factory):
    """Return the prefix of a run that nothing disturbed, and what it said."""
    prefix = tmp_path_factory.mktemp("straight") / "ocr"
    result = train(begin(lines, prefix, "--export-on-end"))
    assert result.returncode == 0, result.stderr
    return prefix, result.stderr


def test_a_label_too_long_for_its_image_is_named_and_left_out(straight, lines):
    assert f"Left out: {lines}/long.png: 'abcabc' needs 6 time steps" in straight[1]
    assert f"96 samples of {lines}, 24 to validate on, 3 characters" in straight[1]


def test_more_workers_change_nothing(straight, train, lines, tmp_path):
    result = train(begin(lines, tmp_path / "ocr", "--num_proc", 2))
    assert result.returncode == 0, result.stderr
    assert hashes(tmp_path / "ocr") == hashes(straight[0])


def test_a_resumed_run_is_as_undisturbed(straight, train, lines, tmp_path):
    prefix = tmp_path / "ocr"
    assert train(begin(lines, prefix, "--epochs", 1)).returncode == 0
    where = ["--train-data", lines, "--held-out", 0.2, "--prefix", prefix]
    result = train(one_thread(*where, "--resume", "--epochs", EPOCHS))
    assert result.returncode == 0, result.stderr
    assert hashes(prefix) == hashes(straight[0])


def test_the_export_reads_as_the_checkpoint_does(straight, lines):
    dataset = open_dataset(lines)
    images = [dataset.read(index) for index in range(len(dataset))]
    reader = Reader(load_checkpoint(str(straight[0]), "best"), batch_size=16)
    predictor = Predictor(f"{straight[0]}.onnx")
    assert predictor.texts(images) == reader.texts(images)
    alone = [predictor.texts([image])[0] for image in images]
    assert alone == reader.texts(images)


def test_it_learns_and_is_evaluated_alike(straight, lines, capsys):
    prefix, _ = straight
    metrics = read_manifest(str(prefix)).find("best", str(prefix)).metrics
    assert metrics["cer"] < 0.9
    assert evaluate_command.main(["--prefix", str(prefix), "--data", str(lines), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == COUNT + 1
    assert found["cer"] == pytest.approx(metrics["cer"], abs=0.2)
