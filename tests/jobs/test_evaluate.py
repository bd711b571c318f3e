"""Measuring a recognizer as a function, which says what the command says."""

import json

import pytest

from ocr_lib import OCRError, evaluate, evaluate_all, load
from ocr_lib.cli import eval as eval_command
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.sets.writers import write_dataset
from tests.cli.infer_command import save_epochs
from tests.cli.quantize_command import TEXTS, write_samples
from tests.deploy.models import mark_model
from tests.jobs.decoders import fail

WRONG = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a network in two forms and a data set, of which some labels are wrong."""
    folder = tmp_path_factory.mktemp("all")
    save_epochs(folder)
    (folder / "ocr.onnx").write_bytes(mark_model())
    write_samples(folder / "data")
    labels = [f"{i}.png\t{text if i >= WRONG else text + '9'}\n" for i, text in enumerate(TEXTS)]
    (folder / "data" / "labels.tsv").write_text("".join(labels))
    return folder


@pytest.mark.parametrize("name", ["ocr", "ocr.onnx"])
def test_of_whatever_load_takes(folder, name):
    for recognizer in (load(folder / name), folder / name, str(folder / name)):
        evaluation = evaluate(recognizer, folder / "data")
        assert evaluation.figures["exact_match"] == 1 - WRONG / len(TEXTS)
        assert (evaluation.count, evaluation.skipped) == (len(TEXTS), 0)
        assert sorted(line.name for line in evaluation.worst) == [f"{i}.png" for i in range(WRONG)]


def test_says_what_the_command_says(folder, capsys):
    for options in ([], ["--worst=2"], ["--format=labels"]):
        assert eval_command.main([f"--prefix={folder}/ocr", f"--data={folder}/data", "--json", *options]) == 0
        named = {"num_worst": 2} if "--worst=2" in options else {"format": "labels"} if options else {}
        assert json.loads(capsys.readouterr().out) == json.loads(
            json.dumps(evaluate(folder / "ocr", str(folder / "data"), **named).as_json())
        )


def test_several_sets(folder):
    for recognizer in folder / "ocr.onnx", load(folder / "ocr.onnx"):
        found = evaluate_all(recognizer, [folder / "data", str(folder / "data")], num_worst=1)
        assert [name for name, _ in found.sets] == [str(folder / "data")] * 2
        assert [len(evaluation.worst) for _, evaluation in found.sets] == [1, 1]
        assert (found.figures["exact_match"], found.count) == (1 - WRONG / len(TEXTS), 2 * len(TEXTS))


def test_another_decoder(folder):
    recognizer = load(folder / "ocr", decode=lambda probabilities: [[1]] * probabilities.shape[1])
    assert evaluate(recognizer, folder / "data").figures["exact_match"] == 0


def test_is_told_how_far_it_is(tmp_path, folder):
    texts = [str(number) for number in range(100, 400)]
    write_samples(tmp_path / "data", texts)
    told = []
    evaluate(folder / "ocr.onnx", tmp_path / "data", tell=lambda *now: told.append(now))
    assert [total for _, total in told] == [300] * len(told)
    assert told[-1] == (300, 300) and len(told) > 1
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@pytest.fixture
def many(tmp_path):
    """Return a data set that is read in several pieces."""
    write_samples(tmp_path / "data", [str(number) for number in range(100, 400)])
    return tmp_path / "data"


class TestCores:
    @pytest.mark.parametrize("name, others", [("ocr", [2]), ("ocr.onnx", [2, 3, None])])
    def test_find_the_same(self, folder, many, name, others):
        alone = evaluate(folder / name, many, cpus=1).as_json()
        for cpus in others:
            assert evaluate(folder / name, many, cpus=cpus).as_json() == alone

    def test_that_fail_are_told_as_one_does(self, folder, many):
        recognizer = load(folder / "ocr.onnx")
        recognizer.decode = fail
        for cpus in 1, 2:
            with pytest.raises(OCRError, match="can't decode"):
                evaluate(recognizer, many, cpus=cpus)

    def test_of_a_recognizer_that_other_processes_can_not_have(self, folder, many):
        recognizer = load(folder / "ocr", decode=lambda probabilities: [[1]] * probabilities.shape[1])
        with pytest.raises(OCRError, match="cpus=2: other processes can't have this recognizer"):
            evaluate(recognizer, many, cpus=2)

    def test_there_must_be_one(self, folder, many):
        with pytest.raises(OCRError, match="--cpu must be at least 1, not 0"):
            evaluate(folder / "ocr", many, cpus=0)


class TestProblems:
    @pytest.fixture
    def data(self, folder, tmp_path):
        write_samples(tmp_path / "data")
        for name in ("1.png", "4.png"):
            (tmp_path / "data" / name).write_bytes(b"no image")
        return tmp_path / "data"

    def test_are_left_out_if_few(self, folder, data):
        evaluation = evaluate(folder / "ocr.onnx", data, max_problems=0.2)
        assert (evaluation.count, evaluation.skipped, evaluation.figures["exact_match"]) == (len(TEXTS) - 2, 2, 1.0)

    @pytest.mark.parametrize("share", [0, 0.1, 0.19])
    def test_are_refused_if_many(self, folder, data, share):
        with pytest.raises(OCRError, match=" of 10 entries can't be used, and --max-problems is "):
            evaluate(folder / "ocr.onnx", data, max_problems=share)


class TestRefused:
    @pytest.mark.parametrize(
        "recognizer, data, options, said",
        [
            ("ocr", "none", {}, "none: no such file or folder"),
            ("none", "data", {}, "none-symbol.json: no such checkpoint"),
            ("none.onnx", "data", {}, "none.onnx: No such file"),
            ("ocr", "data", {"num_worst": -1}, "--worst must be at least 0, not -1"),
            ("ocr", "data", {"max_problems": 2}, "--max-problems must be from 0 to 1, not 2"),
            ("ocr", "data", {"format": "gt"}, "no labelled image"),
            ("ocr", "data", {"compare": "letters"}, "there is no --compare letters: choose from exact, alphanumeric"),
            ("ocr", "data", {"lexicon": "small"}, "there are no lexicons small: choose from own, own-medium"),
        ],
    )
    def test_in_one_line(self, folder, recognizer, data, options, said):
        with pytest.raises(OCRError) as refused:
            evaluate(folder / recognizer, folder / data, **options)
        assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_record_file_is_a_data_set(folder, tmp_path):
    dataset = open_dataset(folder / "data")
    write_dataset(tmp_path / "set.rec", "rec", ((dataset.item(n), dataset.read_file(n)) for n in range(len(dataset))))
    assert (
        evaluate(folder / "ocr.onnx", tmp_path / "set.rec").figures
        == evaluate(folder / "ocr.onnx", folder / "data").figures
    )
