"""Whole runs of the training command that begin with a trained network."""

import shutil

import numpy as np
import pytest

from ocr_lib.cli import generate
from ocr_lib.files import sha256
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.manifest import read_manifest, read_recipe
from ocr_lib.net.reader import Reader
from tests import original_example
from tests.small_network import files_of
from tests.toy import FONT, toy_arguments
from tests.train_command import one_thread, refused

COUNT = 60
# What a warm start does not take from the checkpoint.
TOY = [argument for argument in toy_arguments() if argument.startswith(("--set=training.", "--set=captcha."))]
SIZES = ("--set=training.epoch_size", "--set=training.validation_size")
LENGTHS = ["--set=text.min_length=1", "--set=text.max_length=2"]
AS_GOOD_AS_STILL = ["--epochs", "1", "--lr", "1e-9"]


def toy(*arguments, settings=TOY):
    """Return arguments with settings of the toy task, without the sizes that data on disk has of its own."""
    on_disk = "--train-data" in arguments
    return one_thread(*(setting for setting in settings if not (on_disk and setting.startswith(SIZES))), *arguments)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a folder of data sets by their alphabet."""
    folder = tmp_path_factory.mktemp("data")
    for alphabet in "70", "x70", "+x7":
        arguments = [FONT, "--count", COUNT, "--out", folder / alphabet, "--num_proc", 1, "--alphabet", alphabet]
        assert generate.main([*map(str, arguments), "--digits", "1-2", "--width", "80", "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module", params=[[], ["--time-budget=0"]], ids=["between epochs", "amidst one"])
def begun(request, train, trained, tmp_path_factory):
    """Return the prefix of a run to go on with."""
    prefix = tmp_path_factory.mktemp("begun") / "ocr"
    result = train(one_thread(FONT, "--prefix", prefix, *toy_arguments(), "--epochs", 2, *request.param))
    assert result.returncode == 0, result.stderr
    return prefix


@pytest.fixture
def retrain(train, trained, tmp_path):
    """Return a function that trains the network anew, and returns the new run's prefix."""

    def retrain(*arguments, pretrained=trained):
        prefix = tmp_path / "new" / "ocr"
        before = hashes(pretrained)
        result = train(toy("--pretrained", pretrained, "--prefix", prefix, *arguments))
        assert result.returncode == 0, result.stderr
        assert hashes(pretrained) == before
        return prefix

    return retrain


def hashes(prefix):
    return {path.name: sha256(path) for path in files_of(prefix) if path.is_file()}


def params(prefix):
    return {name: digest for name, digest in hashes(prefix).items() if name.endswith(("params", "states"))}


def accuracy(prefix):
    return read_manifest(str(prefix)).find("best", "").metrics["accuracy"]


def recipe_of(prefix):
    return read_recipe(str(prefix), read_manifest(str(prefix)))


def weights_of(prefix, epoch=None):
    return numpy_weights(load_checkpoint(str(prefix), epoch))


class TestRetrain:
    def test_begins_as_good_as_the_checkpoint_is(self, train, trained, retrain, tmp_path):
        warm = retrain(FONT, *LENGTHS, *AS_GOOD_AS_STILL)
        cold = tmp_path / "cold" / "ocr"
        result = train(one_thread(FONT, "--prefix", cold, *toy_arguments(), *AS_GOOD_AS_STILL))
        assert result.returncode == 0, result.stderr
        assert accuracy(trained) > 0.5 and accuracy(cold) < 0.5
        assert accuracy(warm) >= accuracy(trained) - 0.05

    def test_takes_network_image_and_alphabet_and_the_best_weights(self, trained, retrain):
        prefix = retrain(FONT, *LENGTHS, "--seed", 3, *AS_GOOD_AS_STILL)
        old, new = recipe_of(trained), recipe_of(prefix)
        assert (new.image, new.network, new.text) == (old.image, old.network, old.text)
        assert (old.seed, new.seed, new.training.epochs, new.training.learning_rate) == (0, 3, 1, 1e-9)
        begun, best = weights_of(prefix), weights_of(trained, "best")
        assert set(begun) == set(best) and any("moving" in name for name in best)
        for name, array in best.items():
            if "moving" not in name:
                np.testing.assert_allclose(begun[name], array, atol=1e-6, err_msg=name)

    def test_a_run_that_it_began_is_resumed_alone(self, train, retrain, trained):
        prefix = retrain(FONT, *LENGTHS, "--epochs", 1)
        resumed = ["--prefix", prefix, "--resume", "--epochs", 2]
        line = refused(train(one_thread(FONT, *resumed, "--pretrained", trained)))
        assert "leave out --pretrained" in line
        result = train(one_thread(FONT, *resumed))
        assert result.returncode == 0, result.stderr
        assert [saved.epoch for saved in read_manifest(str(prefix)).saved] == [1, 2]

    def test_the_original_example_reads_as_before(self, retrain, tmp_path):
        original_example.save(tmp_path / "original")
        small = ["--set=training.epoch_size=8", "--set=training.validation_size=8"]
        prefix = retrain(FONT, *small, *AS_GOOD_AS_STILL, pretrained=tmp_path / "original")
        images = np.random.default_rng(0).integers(0, 256, (4, 30, 80), np.uint8)
        readers = [Reader(load_checkpoint(str(which))) for which in (tmp_path / "original", prefix)]
        assert readers[0].preparation == readers[1].preparation
        assert (readers[1].preparation.resize, readers[1].preparation.invert) == ("bilinear", "never")
        before, after = (reader.probabilities(images) for reader in readers)
        assert np.ptp(before, axis=1).max() > 1e-3, "the images are read too much alike to tell anything"
        np.testing.assert_allclose(after, before, atol=1e-4)


class TestAlphabetChange:
    def test_fewer_characters_change_nothing(self, retrain, data):
        prefix = retrain("--train-data", data / "70", *AS_GOOD_AS_STILL)
        assert recipe_of(prefix).text.alphabet == "07"

    @pytest.mark.parametrize("option", [[], ["--alphabet-change=fail"]])
    def test_fail(self, train, trained, data, tmp_path, option):
        where = ["--pretrained", trained, "--prefix", tmp_path / "new", "--train-data", data / "+x7"]
        line = refused(train(toy(*where, *option)))
        assert f"the alphabet of {trained} lacks '+', 'x': --alphabet-change union" in line
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "change, found, alphabet, rows",
        [
            ("union", "+x7", "07+x", {0: 0, 1: 1, 2: 2}),
            ("union", "70", "07", {0: 0, 1: 1, 2: 2}),
            ("new", "+x7", "+7x", {0: 0, 2: 2}),
            ("new", "x70", "07x", {0: 0, 1: 1, 2: 2}),
        ],
    )
    def test_characters_of_the_labels(self, trained, retrain, data, change, found, alphabet, rows):
        prefix = retrain("--train-data", data / found, "--alphabet-change", change, *AS_GOOD_AS_STILL)
        assert recipe_of(prefix).text.alphabet == alphabet
        before, after = weights_of(trained), weights_of(prefix)
        for name in "pred_fc_weight", "pred_fc_bias":
            assert len(after[name]) == len(alphabet) + 1
            np.testing.assert_allclose(after[name][list(rows)], before[name][list(rows.values())], atol=1e-6)
        fresh = [row for row in range(1, len(alphabet) + 1) if row not in rows]
        assert all(np.ptp(after["pred_fc_weight"][row]) > 0.1 for row in fresh)
        np.testing.assert_allclose(after["pred_fc_bias"][fresh], 0, atol=1e-6)

    def test_an_alphabet_that_is_given(self, train, retrain, trained, data, tmp_path):
        (tmp_path / "signs.txt").write_text("x\n7\n+")
        given = ["--alphabet", tmp_path / "signs.txt", "--train-data", data / "+x7"]
        line = refused(train(toy("--pretrained", trained, "--prefix", tmp_path / "new" / "ocr", *given)))
        assert "lacks '+', 'x'" in line
        prefix = retrain(*given, "--alphabet-change=new", *AS_GOOD_AS_STILL)
        assert recipe_of(prefix).text.alphabet == "x7+"

    def test_learns_the_new_character(self, retrain, trained, data):
        prefix = retrain("--train-data", data / "x70", "--alphabet-change=union", "--epochs", 8)
        first, *_, last = read_manifest(str(prefix)).saved
        assert last.metrics["loss"] < first.metrics["loss"] and accuracy(prefix) > 0.5


class TestGivenAlphabet:
    @pytest.mark.parametrize("kind", ["fonts", "data"])
    def test_sets_that_of_the_recipe(self, train, data, tmp_path, kind):
        (tmp_path / "signs.txt").write_text("x7\n\n0+")
        source = [FONT] if kind == "fonts" else ["--train-data", data / "70"]
        others = [argument for argument in toy_arguments() if "alphabet" not in argument]
        given = ["--prefix", tmp_path / "ocr", "--alphabet", tmp_path / "signs.txt", "--epochs", 1]
        result = train(toy(*source, *given, settings=others))
        assert result.returncode == 0, result.stderr
        assert recipe_of(tmp_path / "ocr").text.alphabet == "x70+"

    def test_labels_with_other_characters_are_refused(self, train, data, tmp_path):
        others = [argument for argument in toy_arguments() if "alphabet" not in argument]
        where = ["--train-data", data / "x70", "--prefix", tmp_path / "ocr", "--alphabet=digits"]
        assert "labels have 'x', which the alphabet lacks" in refused(train(toy(*where, settings=others)))


class TestResume:
    def test_is_as_resumed_in_place(self, train, begun, tmp_path):
        shutil.copytree(begun.parent, tmp_path / "place")
        before = hashes(begun)
        in_place = train(one_thread(FONT, "--prefix", tmp_path / "place" / "ocr", "--resume", "--epochs", 4))
        assert in_place.returncode == 0, in_place.stderr
        new = ["--prefix", tmp_path / "new" / "ocr", "--pretrained", begun, "--pretrained-policy=resume"]
        apart = train(one_thread(FONT, *new, "--epochs", 4))
        assert apart.returncode == 0, apart.stderr
        assert hashes(begun) == before
        expected, found = params(tmp_path / "place" / "ocr"), params(tmp_path / "new" / "ocr")
        assert found.items() <= expected.items() and {"ocr-0003.params", "ocr-0004.params"} < set(found)
        assert "ocr-0004.states" in found
        manifests = [read_manifest(str(tmp_path / where / "ocr")) for where in ("place", "new")]
        assert manifests[0].progress == manifests[1].progress
        assert (manifests[0].best, manifests[0].last) == (manifests[1].best, manifests[1].last)
        assert (tmp_path / "new" / "ocr-log" / "curves.csv").is_file()

    def test_replaces_a_run_if_asked(self, train, begun, trained, tmp_path):
        shutil.copytree(trained.parent, tmp_path / "new")
        prefix = tmp_path / "new" / "ocr"
        again = ["--prefix", prefix, "--pretrained", begun, "--pretrained-policy=resume"]
        assert "--overwrite" in refused(train(one_thread(FONT, *again)))
        assert hashes(prefix) == hashes(trained)
        result = train(one_thread(FONT, *again, "--epochs", 3, "--overwrite"))
        assert result.returncode == 0, result.stderr
        assert "ocr-0005.params" in hashes(trained) and "ocr-0005.params" not in hashes(prefix)
        assert recipe_of(prefix).training.epochs == 3

    def test_other_samples_are_refused(self, train, begun, data, tmp_path):
        new = ["--prefix", tmp_path / "new" / "ocr", "--pretrained", begun, "--pretrained-policy=resume"]
        line = refused(train(one_thread("--train-data", data / "70", *new)))
        assert "not what this run was begun with" in line
        assert not (tmp_path / "new").exists()
