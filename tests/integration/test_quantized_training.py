"""Whole runs of the training command in few bits."""

import numpy as np
import pytest

from ocr_lib import load
from ocr_lib.fixed.reader import FixedReader
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.forward import training_logits
from ocr_lib.net.manifest import read_manifest
from ocr_lib.net.reader import Reader
from tests.small_network import files_of
from tests.toy import FONT, toy_arguments, toy_batches, toy_recipe
from tests.train_command import one_thread, refused

BITS = ["--set=quantization=W4A4", "--lr=0.01"]
TRAINING = [
    argument
    for argument in toy_arguments()
    if argument.startswith(("--set=training.", "--set=captcha.", "--set=text."))
]


@pytest.fixture(scope="module")
def quantized(train, trained, tmp_path_factory):
    """Return the prefix of a run in few bits that began with it."""
    prefix = tmp_path_factory.mktemp("quantized") / "ocr"
    result = train(one_thread(FONT, "--prefix", prefix, "--pretrained", trained, *TRAINING, *BITS, "--epochs", 2))
    assert result.returncode == 0, result.stderr
    return prefix


def accuracy(prefix):
    manifest = read_manifest(str(prefix))
    return manifest.find("best", str(prefix)).metrics["accuracy"]


def test_reads_about_as_well_as_before(trained, quantized):
    assert accuracy(trained) > 0.8
    assert accuracy(quantized) > accuracy(trained) - 0.15


def test_its_checkpoint_reads_as_it_was_validated(quantized):
    reader = load(quantized)
    assert isinstance(reader, FixedReader) and reader.recipe.is_whole
    recipe = toy_recipe()
    batches = toy_batches(recipe, "validation", [range(recipe.training.validation_size)])
    read = reader.texts(list(batches[0].images))
    assert np.mean([a == b for a, b in zip(read, batches[0].texts)]) == accuracy(quantized)


def test_training_computes_the_numbers_that_are_read_with(quantized):
    checkpoint = load_checkpoint(str(quantized))
    weights, network = numpy_weights(checkpoint), load(quantized).network
    (batch,) = toy_batches(toy_recipe(), "test", [range(20)])
    logits = training_logits(checkpoint.recipe, weights, batch.images)
    np.testing.assert_array_equal(logits, network.logits(batch.images) * 2.0**network.exponent)


def test_steps_are_learned(quantized):
    weights = numpy_weights(load_checkpoint(str(quantized)))
    steps = np.concatenate([array for name, array in weights.items() if name.endswith("_log2_step")])
    assert (steps != np.round(steps)).any()


def test_a_run_that_is_stopped_goes_on_as_if_nothing_had_happened(train, trained, quantized, tmp_path):
    begin = one_thread(FONT, "--prefix", tmp_path / "ocr", "--pretrained", trained, *TRAINING, *BITS, "--epochs", 2)
    assert train([*begin, "--time-budget=0"]).returncode == 0
    result = train(one_thread(FONT, "--prefix", tmp_path / "ocr", "--resume"))
    assert result.returncode == 0, result.stderr
    whole, resumed = (files_of(prefix) for prefix in (quantized, tmp_path / "ocr"))
    for name in ("ocr-0002.params", "ocr-0002.states"):
        first, second = (next(path for path in files if path.name == name) for files in (whole, resumed))
        assert first.read_bytes() == second.read_bytes()


def test_trains_from_scratch(train, tmp_path):
    convolutions = '--set=network.convolutions=[{"filters": 8, "batch_norm": false}]'
    arguments = [*toy_arguments(), convolutions, "--set=quantization=W8A8", "--epochs", 2]
    result = train(one_thread(FONT, "--prefix", tmp_path / "ocr", *arguments))
    assert result.returncode == 0, result.stderr
    assert load_checkpoint(str(tmp_path / "ocr")).recipe.quantization.hidden.bits == 8


def test_both_steps_in_one_command(train, tmp_path):
    """The first step has batch normalisation before the classifier, and a classifier in floating point."""
    network = ["--set=network.convolutions=[]", "--set=network.output_norm=true", "--set=network.bidirectional=true"]
    steps = ["--first-step", "W2B8A4I32_FC_W32B32", "--set=quantization=W2B8A4I8_FC_W4B8"]
    begin = one_thread(FONT, "--prefix", tmp_path / "ocr", *toy_arguments(), *network, *steps, "--epochs", 1)
    assert train([*begin, "--time-budget=0"]).returncode == 0
    first = load_checkpoint(str(tmp_path / "ocr-step1"))
    assert first.recipe.network.output_norm and not first.recipe.is_whole and first.recipe.quantization.hidden.bits == 4
    assert isinstance(load(tmp_path / "ocr-step1"), Reader)
    second = load_checkpoint(str(tmp_path / "ocr"))
    assert not second.recipe.network.output_norm and second.recipe.is_whole
    resumed = one_thread(FONT, "--prefix", tmp_path / "ocr", *steps, "--resume")
    assert train(resumed).returncode == 0
    assert read_manifest(str(tmp_path / "ocr")).saved[-1].epoch == 1


def test_a_first_step_takes_a_second(train, tmp_path):
    arguments = one_thread(FONT, "--prefix", tmp_path / "ocr", "--first-step", "float")
    assert "--first-step goes with the second step's bits: --set quantization=W4A4, say" in refused(train(arguments))


def test_bits_that_training_has_no_room_for(train, trained, tmp_path):
    arguments = one_thread(FONT, "--prefix", tmp_path / "ocr", "--pretrained", trained, "--set=quantization=W16A16")
    assert "quantization: training is exact for weights and activations of 16 bits" in refused(train(arguments))


def test_a_quantized_checkpoint_stays_quantized_when_it_is_trained_on(train, quantized, tmp_path):
    arguments = [FONT, "--prefix", tmp_path / "ocr", "--pretrained", quantized, *TRAINING, "--epochs", 1]
    result = train(one_thread(*arguments, "--lr", "1e-9"))
    assert result.returncode == 0, result.stderr
    again = load_checkpoint(str(tmp_path / "ocr"))
    assert again.recipe.quantization == load_checkpoint(str(quantized)).recipe.quantization
    assert accuracy(tmp_path / "ocr") == accuracy(quantized)
