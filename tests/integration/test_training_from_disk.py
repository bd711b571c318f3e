"""Whole runs of the training command on data sets on disk."""

import shutil
import subprocess
import sys

import pytest

from ocr_lib.cli import generate
from ocr_lib.deploy import Predictor
from ocr_lib.feed.disk import hold_out
from ocr_lib.files import sha256
from ocr_lib.net.manifest import read_manifest, read_recipe
from ocr_lib.sets.dataset import open_dataset
from tests.toy import FONT, SETTINGS, toy_arguments
from tests.train_command import ROOT, Result, one_thread, refused
from tests.unmeasured import UNMEASURED

COUNT = 240
HELD_OUT = 36
EPOCHS = 4
FOUND = ("--set=text.", "--set=captcha.", "--set=training.epoch_size", "--set=training.validation_size")
TOY = [argument for argument in toy_arguments() if not argument.startswith(FOUND)]


def run(*arguments, **environment):
    """Run the command in a process of its own."""
    script, environment = str(ROOT / "lstm_ocr_train.py"), {**UNMEASURED, **environment}
    result = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, timeout=200, check=False, env=environment
    )
    return Result(result.returncode, result.stderr)


def begin(data, prefix, *arguments):
    """Return the arguments of a new run."""
    where = ["--preset", "captcha", "--train-data", data, "--held-out", HELD_OUT / COUNT, "--prefix", prefix]
    return one_thread(*where, *TOY, "--epochs", EPOCHS, *arguments)


def resume(data, prefix, *arguments):
    """Return the arguments that go on with a run."""
    where = ["--train-data", data, "--held-out", HELD_OUT / COUNT, "--prefix", prefix]
    return one_thread(*where, "--resume", "--epochs", EPOCHS, *arguments)


def hashes(prefix):
    return {path.name: sha256(path) for path in prefix.parent.glob("*.params")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a toy data set, as captcha_generator.py writes it."""
    folder = tmp_path_factory.mktemp("data") / "set"
    settings = dict(SETTINGS)
    digits = f"{settings['text.min_length']}-{settings['text.max_length']}"
    arguments = [FONT, "--count", COUNT, "--out", folder, "--num_proc", 1, "--alphabet", settings["text.alphabet"]]
    assert generate.main([*map(str, arguments), "--digits", digits, "--width", "80", "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def straight(train, data, tmp_path_factory):
    """Return the prefix of a run that nothing disturbed, and that exported its network in the end."""
    prefix = tmp_path_factory.mktemp("straight") / "ocr"
    result = train(begin(data, prefix, "--export-on-end"))
    assert result.returncode == 0, result.stderr
    assert f"{COUNT - HELD_OUT} samples of {data}, {HELD_OUT} to validate on, 2 characters" in result.stderr
    return prefix


@pytest.fixture(scope="module")
def first_epoch(train, data, tmp_path_factory):
    """Return the prefix of the same run after an epoch, by another number of workers."""
    prefix = tmp_path_factory.mktemp("begun") / "ocr"
    result = train(begin(data, prefix, "--epochs", "1", "--num_proc", "2"))
    assert result.returncode == 0, result.stderr
    return prefix


@pytest.fixture
def begun(first_epoch, tmp_path):
    """Return the prefix of a copy of it."""
    return shutil.copytree(first_epoch.parent, tmp_path / "begun") / "ocr"


def test_learns_and_writes_what_the_data_is_like(straight):
    manifest = read_manifest(str(straight))
    recipe = read_recipe(str(straight), manifest)
    assert (recipe.text.alphabet, recipe.text.min_length, recipe.text.max_length) == ("07", 1, 2)
    assert (recipe.training.epoch_size, recipe.training.validation_size) == (COUNT - HELD_OUT, HELD_OUT)
    assert [saved.epoch for saved in manifest.saved] == list(range(1, EPOCHS + 1))
    first, last = (manifest.saved[place].metrics for place in (0, -1))
    assert last["loss"] < 0.5 * first["loss"] and last["accuracy"] > 0.5


def test_the_exported_network_reads_what_was_held_out_as_validation_says(data, straight):
    predictor = Predictor(f"{straight}.onnx")
    assert predictor.alphabet.characters == "07"
    dataset = open_dataset(data)
    held_out = [dataset.item(index) for index in hold_out(COUNT, HELD_OUT / COUNT, 0)[1]]
    readings = predictor.predict([str(data / item.name) for item in held_out])
    right = sum(reading.text == item.text for reading, item in zip(readings, held_out))
    assert right / HELD_OUT == pytest.approx(read_manifest(str(straight)).find("best", "").metrics["accuracy"])


def test_resumed_is_as_undisturbed_whatever_the_number_of_workers(data, straight, begun):
    assert hashes(begun).items() < hashes(straight).items()
    result = run(*resume(data, begun, "--num_proc", "3"))
    assert result.returncode == 0, result.stderr
    assert len(hashes(straight)) == EPOCHS
    assert hashes(begun) == hashes(straight)


def test_a_finished_run_is_exported_when_it_is_resumed(train, data, begun):
    result = train(resume(data, begun, "--epochs", "1", "--export-on-end"))
    assert result.returncode == 0, result.stderr
    assert f"Exported to {begun}.onnx" in result.stderr
    assert Predictor(f"{begun}.onnx").alphabet.characters == "07"


def test_changed_data_is_refused_when_resuming(train, data, begun, tmp_path):
    changed = shutil.copytree(data, tmp_path / "changed")
    labels = changed / "labels.tsv"
    before = labels.read_text()
    saved = {path.name: sha256(path) for path in begun.parent.glob("ocr-*") if path.is_file()}
    name, _, text = before.splitlines()[0].partition("\t")
    labels.write_text(before.replace(f"{name}\t{text}", f"{name}\t{'0' if text == '7' else '7'}"))
    for arguments in resume(changed, begun), resume(data, begun, "--held-out", "0.5"):
        assert "not the samples that this run was begun with" in refused(train(arguments))
    labels.write_text(before.replace(f"{name}\t", f"{name}\tx"))
    assert "x" in refused(train(resume(changed, begun)))
    line = refused(train(one_thread(FONT, "--prefix", begun, "--resume")))
    assert "data on disk" in line and str(FONT) in line
    assert {path.name: sha256(path) for path in begun.parent.glob("ocr-*") if path.is_file()} == saved


def test_data_is_refused_where_a_run_was_begun_with_fonts(train, data, tmp_path):
    size = [("training.epoch_size", 8), ("training.validation_size", 8), ("training.epochs", 1)]
    result = train(one_thread(FONT, "--prefix", tmp_path / "ocr", *toy_arguments(*size)))
    assert result.returncode == 0, result.stderr
    line = refused(train(resume(data, tmp_path / "ocr")))
    assert FONT.name in line and str(data) in line


def test_characters_that_only_validation_has_count_as_errors(train, data, tmp_path):
    apart = tmp_path / "apart"
    apart.mkdir()
    for index, text in enumerate(["x", "0x", "x7"]):
        shutil.copy(data / f"{index:06d}.png", apart / f"{text}.png")
    result = train(begin(data, tmp_path / "ocr", "--val-data", apart, "--epochs", "1"))
    assert result.returncode == 0, result.stderr
    assert "Only validation labels have 'x'" in result.stderr
    manifest = read_manifest(str(tmp_path / "ocr"))
    metrics = manifest.saved[-1].metrics
    assert metrics["accuracy"] == 0 and metrics["cer"] >= 0.6 and 0 < metrics["loss"] < 100
    recipe = read_recipe(str(tmp_path / "ocr"), manifest)
    assert (recipe.text.alphabet, recipe.training.epoch_size, recipe.training.validation_size) == ("07", COUNT, 3)


def test_what_exporting_lacks_is_told_before_training(data, tmp_path):
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs" / "onnx.py").write_text("raise ImportError('no onnx here')\n")
    line = refused(run(*begin(data, tmp_path / "run" / "ocr", "--export-on-end"), PYTHONPATH=str(tmp_path / "stubs")))
    assert "no onnx here" in line and "pip install" in line
    assert not (tmp_path / "run").exists()


def test_fonts_or_data_but_not_both_or_neither(train, data, tmp_path):
    for sources in (), (FONT, "--train-data", data):
        line = refused(train(one_thread(*sources, "--prefix", tmp_path / "ocr", *TOY)))
        assert "either fonts, or --train-data" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--train-data", "none"], "none: no such file or folder"),
        (["--val-data", "none"], "none: no such file or folder"),
        (["--held-out", "0"], "--val-data"),
        (["--set", "text.alphabet=0"], "labels have '7'"),
        (["--format", "rec"], "no .rec files"),
        (["--set", "training.epoch_size=10"], "--set training.epoch_size: with --train-data"),
    ],
)
def test_bad_arguments_are_named_on_one_line(train, data, tmp_path, arguments, said):
    assert said in refused(train(begin(data, tmp_path / "ocr", *arguments)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--val-data=none", "--held-out=0.2", "--format=rec"])
def test_options_of_data_go_with_data(train, tmp_path, option):
    line = refused(train(one_thread(FONT, option, "--prefix", tmp_path / "ocr", *TOY)))
    assert f"{option.partition('=')[0]} goes with --train-data" in line
