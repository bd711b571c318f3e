"""The command that makes checkpoints of 8 bits: what it writes, refuses, and leaves alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cli import infer, quantize
from ocr_lib.cli import train as train_command
from ocr_lib.errors import OCRError
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recognize import comparison
from tests.cli.infer_command import write
from tests.cli.running import run_main
from tests.small_network import draw_marks, files_of, mark_params, mark_recipe, save

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ["0089", "7", "31415", "555", "90", "1234567", "2", "48", "66", "1029"]
FEW = ["--num-calib=4", "--num-test=4"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    rows = [f"{write(folder / f'{i}.png', text, zoom=1).name}\t{text}\n" for i, text in enumerate(TEXTS)]
    (folder / "labels.tsv").write_text("".join(rows))
    return folder


@pytest.fixture
def prefix(tmp_path):
    return save(tmp_path / "ocr", mark_recipe(), mark_params(), (1, 2), (0.5, 1.0))


@pytest.fixture(autouse=True)
def _speed_is_measured_briefly(monkeypatch):
    monkeypatch.setattr(comparison, "_TURN_S", 0.001)


@pytest.fixture
def run(capsys, prefix, samples):
    """Run the command; return the exit code, stdout, and stderr as lines."""

    def run(*arguments, prefix=prefix, samples=samples):
        return run_main(capsys, quantize.main, f"--prefix={prefix}", f"--samples={samples}", *arguments)

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(outcome, *parts):
    code, output, errors = outcome
    assert (code, output, len(errors)) == (1, "", 1), errors
    for part in parts:
        assert str(part) in errors[0]


def marks(texts=TEXTS):
    return np.stack([draw_marks([int(character) for character in text]) for text in texts])


class TestFiles:
    def test_are_those_of_a_checkpoint_without_states(self, run, prefix):
        before = contents(Path(prefix).parent)
        code, output, errors = run()
        assert (code, errors) == (0, [])
        names = ["-0000.params", "-manifest.json", "-recipe.json", "-symbol.json"]
        assert files_of(f"{prefix}-int8") == [Path(f"{prefix}-int8{name}") for name in names]
        assert f"{prefix}-int8-0000.params and what belongs to it written" in output
        after = contents(Path(prefix).parent)
        assert {name: after[name] for name in before} == before
        assert not any(name.endswith(".tmp") for name in after)

    def test_are_read_like_any_other(self, run, prefix, samples, capsys):
        assert run()[0] == 0
        found, expected = (Reader(load_checkpoint(p)).probabilities(marks()) for p in (f"{prefix}-int8", prefix))
        assert 0 < np.abs(found - expected).max() < 0.1
        assert infer.main([f"--prefix={prefix}-int8", str(samples)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("\t")[1] for line in lines] == [f"Digits: {list(map(int, text))}" for text in TEXTS]

    def test_go_elsewhere(self, run, prefix, tmp_path):
        (tmp_path / "new").mkdir()
        assert run("--out", tmp_path / "new" / "small")[0] == 0
        assert len(files_of(tmp_path / "new" / "small")) == 4
        assert not files_of(f"{prefix}-int8")

    def test_again_replaces_them(self, run, prefix):
        out = f"{prefix}-int8"
        assert run("--exclude=pred_fc")[0] == 0
        first = {path.name: path.read_bytes() for path in files_of(out)}
        assert run()[0] == 0
        second = {path.name: path.read_bytes() for path in files_of(out)}
        assert first.keys() == second.keys()
        assert first["ocr-int8-symbol.json"] != second["ocr-int8-symbol.json"]
        assert np.abs(Reader(load_checkpoint(out)).probabilities(marks()) - 0.5).max() < 0.5
        assert run("--quiet")[0] == 0

    def test_hold_the_epoch_that_was_asked_for(self, capsys, tmp_path, samples):
        def params(epoch):
            found = mark_params()
            found["pred_fc_bias"] += np.float32(epoch)
            return found

        prefix = save(tmp_path / "ocr", mark_recipe(), params, (1, 2), (1.0, 0.5))
        biases = []
        for epoch in ("1", "last"):
            arguments = [f"--prefix={prefix}", f"--samples={samples}", "--epoch", epoch, "--exclude=pred_fc"]
            assert quantize.main(arguments) == 0
            checkpoint = load_checkpoint(f"{prefix}-int8")
            biases.append(checkpoint.arg_params["pred_fc_bias"].asnumpy())
        np.testing.assert_allclose(biases[1] - biases[0], 1, atol=1e-6)


class TestOutput:
    def test_json(self, run, prefix):
        code, output, errors = run("--json")
        assert (code, errors) == (0, [])
        found = json.loads(output)
        assert list(found) == [
            *("path", "count", "max_difference", "same_texts", "accuracy", "accuracy_before", "cer", "cer_before"),
            *("speedup_1", "speedup_128"),
        ]
        assert found["path"] == f"{prefix}-int8-0000.params"
        assert (found["count"], found["same_texts"]) == (5, 5)  # every other is for calibration
        assert (found["accuracy"], found["accuracy_before"], found["cer"], found["cer_before"]) == (1, 1, 0, 0)
        assert 0 < found["max_difference"] < 0.1
        assert found["speedup_1"] > 0 and found["speedup_128"] > 0

    def test_without_labels_accuracy_is_unknown(self, run, tmp_path):
        for i in range(4):
            write(tmp_path / "bare" / f"{i}.png", TEXTS[i], zoom=1)
        found = json.loads(run("--json", samples=tmp_path / "bare")[1])
        assert (found["count"], found["accuracy"], found["cer"]) == (2, None, None)

    def test_metrics_are_in_the_manifest(self, run, prefix):
        assert run()[0] == 0
        (saved,) = json.loads(Path(f"{prefix}-int8-manifest.json").read_text())["saved"]
        assert saved["metrics"] == {"accuracy": 1.0, "cer": 0.0}

    @pytest.mark.parametrize("option", ["--calib-mode=none", "--exclude=pred_fc"])
    def test_options_change_the_graph(self, run, prefix, option):
        graphs = []
        for options in ([], [option]):
            assert run(*options)[0] == 0
            text = Path(f"{prefix}-int8-symbol.json").read_text()
            graphs.append(
                [(node["op"], "min_calib_range" in node.get("attrs", {})) for node in json.loads(text)["nodes"]]
            )
        assert graphs[0] != graphs[1]


class TestRefused:
    """With one line, and with nothing written."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, prefix):
        before = contents(Path(prefix).parent)
        yield
        assert contents(Path(prefix).parent) == before

    def test_a_training_run_is_no_place(self, run, prefix):
        refused(run("--out", prefix), prefix, "holds a training run: choose another --out")

    @pytest.mark.parametrize("option", ["--num-calib=0", "--num-test=0", "--num-calib=-3"])
    def test_too_few_samples(self, run, option):
        refused(run(option), "samples are too few: at least 1 is needed")

    def test_an_unknown_layer(self, run):
        refused(run("--exclude=conv0"), "--exclude conv0: the layers are l", "pred_fc")

    def test_an_unknown_epoch(self, run):
        refused(run("--epoch=7"), "has no epoch 7; it has 1, 2")

    def test_a_checkpoint_that_is_missing(self, run, tmp_path):
        refused(run(prefix=tmp_path / "none"), tmp_path / "none-symbol.json", "no such checkpoint")

    def test_samples_that_are_missing(self, run, tmp_path):
        refused(run(samples=tmp_path / "none"), tmp_path / "none")

    def test_an_empty_folder(self, run, tmp_path_factory):
        folder = tmp_path_factory.mktemp("empty")
        refused(run(samples=folder), folder)

    def test_one_image_only(self, run, tmp_path_factory):
        folder = tmp_path_factory.mktemp("one")
        write(folder / "a.png", zoom=1)
        refused(run(samples=folder), folder, "one image only")

    def test_reading_worse_than_allowed(self, run):
        refused(run("--max-drop=-1"), "reads 0.00% of 5 images worse", "--max-drop allows -1.00%; nothing was written")

    @pytest.mark.parametrize("mode", ["best", "0", "", "KL"])
    def test_an_unknown_mode(self, run, mode, capsys):
        with pytest.raises(SystemExit) as caught:
            run(f"--calib-mode={mode}")
        assert caught.value.code == 2
        assert "--calib-mode: invalid choice" in capsys.readouterr().err


class TestDamage:
    @pytest.mark.parametrize("suffix", ["-0002.params", "-symbol.json", "-recipe.json", "-manifest.json"])
    @pytest.mark.parametrize("damage", ["missing", "cut off"])
    def test_is_told_in_a_line(self, run, prefix, suffix, damage):
        path = Path(prefix + suffix)
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-20])
        code, output, errors = run()
        if (suffix, damage) == ("-manifest.json", "missing"):  # which only says what is best
            assert code == 0
            return
        refused((code, output, errors), path)
        assert not files_of(f"{prefix}-int8")


class TestOnceMore:
    """What is of 8 bits already."""

    def test_is_not_quantized(self, run, prefix):
        assert run()[0] == 0
        out = f"{prefix}-int8"
        before = contents(Path(prefix).parent)
        refused(run(prefix=out), f"{out}-0000.params is of 8 bits already: take the checkpoint that it was made from")
        refused(run("--out", out, prefix=out), "is of 8 bits already")
        assert contents(Path(prefix).parent) == before

    def test_is_not_trained(self, run, prefix, capsys, font):
        assert run()[0] == 0
        before = contents(Path(prefix).parent)
        assert train_command.main([f"--prefix={prefix}-int8", "--resume", str(font)]) == 1
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert f"{prefix}-int8 is of 8 bits, which can't be trained: resume what it was made from" in line
        assert contents(Path(prefix).parent) == before


# Copies of the process kill themselves before their first, second, and so on, change of a file of the checkpoint.
KILLED = """
import os, pathlib, signal, sys
def killing(function):
    def call(path, *arguments, **options):
        global left
        if "int8" in str(path):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(path, *arguments, **options)
    return call
pathlib.Path.replace, pathlib.Path.unlink = killing(pathlib.Path.replace), killing(pathlib.Path.unlink)
from ocr_lib.cli.quantize import main
import ocr_lib.quant.int8, ocr_lib.recognize.comparison
ocr_lib.recognize.comparison._TURN_S = 0.001
for left in range(int(sys.argv[1])):
    process = os.fork()
    if not process:
        os._exit(main([f"--out={sys.argv[2]}/{left}/ocr-int8", *sys.argv[3:]]))
    print(os.waitpid(process, 0)[1])
"""
MOST_CHANGES = 12


def read(out):
    try:
        return Reader(load_checkpoint(str(out))).probabilities(marks())
    except OCRError as error:
        return str(error)


def test_killed_at_any_write_leaves_no_mixture(tmp_path, samples):
    """The graphs are alike, and would read with each other's parameters: wrongly, as the scales in them differ."""
    later_params = mark_params()
    later_params["pred_fc_weight"] *= np.float32(1.5)
    later_params["l0_i2h_weight"] *= np.float32(2)
    expected = {}
    for name, params in (("former", mark_params()), ("later", later_params)):
        prefix = save(tmp_path / name / "ocr", mark_recipe(), params)
        assert quantize.main([f"--prefix={prefix}", f"--samples={samples}", *FEW]) == 0
        expected[name] = read(f"{prefix}-int8")
    assert np.abs(expected["former"] - expected["later"]).max() > 0.01

    for i in range(MOST_CHANGES):
        (tmp_path / str(i)).mkdir()
        for path in files_of(tmp_path / "former" / "ocr-int8"):
            (tmp_path / str(i) / path.name).write_bytes(path.read_bytes())
    arguments = [str(MOST_CHANGES), str(tmp_path), f"--prefix={tmp_path}/later/ocr", f"--samples={samples}", *FEW]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    statuses = [int(line) for line in done.stdout.splitlines() if line.isdigit()]
    assert statuses[0] == signal.SIGKILL, done.stderr
    assert statuses[-1] == 0, done.stderr
    assert set(statuses) == {signal.SIGKILL, 0}
    ends = []
    for i in range(MOST_CHANGES):
        found = read(tmp_path / str(i) / "ocr-int8")
        same = [name for name in expected if not isinstance(found, str) and np.array_equal(found, expected[name])]
        ends.append(same[0] if same else found if isinstance(found, str) else "a mixture")
    assert ends[0] == "former"
    assert ends[-1] == "later"
    assert "a mixture" not in ends, ends
