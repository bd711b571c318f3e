"""The command that makes checkpoints of 8 bits: what it writes, refuses, and leaves alone."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cli import infer, quantize
from ocr_lib.errors import OCRError
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from tests.cli.infer_command import write
from tests.cli.quantize_command import FEW, TEXTS, contents, marks, refused
from tests.small_network import files_of, mark_params, mark_recipe, save
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]


class TestFiles:
    def test_are_those_of_a_checkpoint_without_states(self, run_quantize, trained):
        before = contents(Path(trained).parent)
        code, output, errors = run_quantize()
        assert (code, errors) == (0, [])
        names = ["-0000.params", "-manifest.json", "-recipe.json", "-symbol.json"]
        assert files_of(f"{trained}-int8") == [Path(f"{trained}-int8{name}") for name in names]
        assert f"{trained}-int8-0000.params and what belongs to it written" in output
        after = contents(Path(trained).parent)
        assert {name: after[name] for name in before} == before
        assert not any(name.endswith(".tmp") for name in after)

    def test_are_read_like_any_other(self, run_quantize, trained, mark_samples, capsys):
        assert run_quantize()[0] == 0
        found, expected = (Reader(load_checkpoint(p)).probabilities(marks()) for p in (f"{trained}-int8", trained))
        assert 0 < np.abs(found - expected).max() < 0.1
        assert infer.main([f"--prefix={trained}-int8", str(mark_samples)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("\t")[1] for line in lines] == [f"Digits: {list(map(int, text))}" for text in TEXTS]

    def test_go_elsewhere(self, run_quantize, trained, tmp_path):
        (tmp_path / "new").mkdir()
        assert run_quantize("--out", tmp_path / "new" / "small")[0] == 0
        assert len(files_of(tmp_path / "new" / "small")) == 4
        assert not files_of(f"{trained}-int8")

    def test_again_replaces_them_when_asked(self, run_quantize, trained):
        out = f"{trained}-int8"
        assert run_quantize("--exclude=pred_fc")[0] == 0
        first = {path.name: path.read_bytes() for path in files_of(out)}
        refused(
            run_quantize(),
            f"{out}-manifest.json is there, with 0 epochs trained: --overwrite begins anew, another --out",
        )
        assert {path.name: path.read_bytes() for path in files_of(out)} == first
        assert run_quantize("--overwrite")[0] == 0
        second = {path.name: path.read_bytes() for path in files_of(out)}
        assert first.keys() == second.keys()
        assert first["ocr-int8-symbol.json"] != second["ocr-int8-symbol.json"]
        assert np.abs(Reader(load_checkpoint(out)).probabilities(marks()) - 0.5).max() < 0.5
        assert run_quantize("--quiet", "--overwrite")[0] == 0

    @pytest.mark.parametrize("suffix", ["-symbol.json", "-0001.params", "-0100.params"])
    def test_a_checkpoint_without_a_manifest_is_replaced_when_asked(self, run_quantize, trained, suffix):
        somebodys = Path(f"{trained}-int8{suffix}")
        somebodys.write_bytes(b"somebody's")
        before = contents(Path(trained).parent)
        refused(run_quantize(), f"{somebodys} is there, a checkpoint without a manifest: --overwrite")
        assert contents(Path(trained).parent) == before
        assert run_quantize("--overwrite")[0] == 0
        assert len(files_of(f"{trained}-int8")) == 4
        assert load_checkpoint(f"{trained}-int8").params_path.name == "ocr-int8-0000.params"

    def test_hold_the_epoch_that_was_asked_for(self, tmp_path, mark_samples):
        def params(epoch):
            found = mark_params()
            found["pred_fc_bias"] += np.float32(epoch)
            return found

        prefix = save(tmp_path / "ocr", mark_recipe(), params, (1, 2), (1.0, 0.5))
        biases = []
        for epoch in ("1", "last"):
            arguments = [f"--prefix={prefix}", f"--samples={mark_samples}", "--epoch", epoch, "--exclude=pred_fc"]
            assert quantize.main([*arguments, "--overwrite"]) == 0
            checkpoint = load_checkpoint(f"{prefix}-int8")
            biases.append(checkpoint.arg_params["pred_fc_bias"].asnumpy())
        np.testing.assert_allclose(biases[1] - biases[0], 1, atol=1e-6)


class TestOutput:
    def test_json(self, run_quantize, trained):
        code, output, errors = run_quantize("--json")
        assert (code, errors) == (0, [])
        found = json.loads(output)
        assert list(found) == [
            *("path", "count", "max_difference", "same_texts", "empty_before", "accuracy", "accuracy_before"),
            *("cer", "cer_before", "changed", "speedup_1", "speedup_128"),
        ]
        assert found["path"] == f"{trained}-int8-0000.params"
        assert (found["count"], found["same_texts"], found["empty_before"], found["changed"]) == (
            5,
            5,
            0,
            0,
        )  # every other is for calibration
        assert (found["accuracy"], found["accuracy_before"], found["cer"], found["cer_before"]) == (1, 1, 0, 0)
        assert 0 < found["max_difference"] < 0.1
        assert found["speedup_1"] > 0 and found["speedup_128"] > 0

    def test_without_labels_accuracy_is_unknown(self, run_quantize, tmp_path):
        for i in range(4):
            write(tmp_path / "bare" / f"{i}.png", TEXTS[i], zoom=1)
        found = json.loads(run_quantize("--json", samples=tmp_path / "bare")[1])
        assert (found["count"], found["accuracy"], found["cer"]) == (2, None, None)

    def test_metrics_are_in_the_manifest(self, run_quantize, trained):
        assert run_quantize()[0] == 0
        (saved,) = json.loads(Path(f"{trained}-int8-manifest.json").read_text())["saved"]
        assert saved["metrics"] == {"accuracy": 1.0, "cer": 0.0}

    @pytest.mark.parametrize("option", ["--calib-mode=none", "--exclude=pred_fc"])
    def test_options_change_the_graph(self, run_quantize, trained, option):
        graphs = []
        for options in ([], [option]):
            assert run_quantize("--overwrite", *options)[0] == 0
            text = Path(f"{trained}-int8-symbol.json").read_text()
            graphs.append(
                [(node["op"], "min_calib_range" in node.get("attrs", {})) for node in json.loads(text)["nodes"]]
            )
        assert graphs[0] != graphs[1]


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
        os._exit(main([f"--out={sys.argv[2]}/{left}/ocr-int8", "--overwrite", *sys.argv[3:]]))
    print(os.waitpid(process, 0)[1])
"""
MOST_CHANGES = 12


def read(out):
    try:
        return Reader(load_checkpoint(str(out))).probabilities(marks())
    except OCRError as error:
        return str(error)


def test_killed_at_any_write_leaves_no_mixture(tmp_path, mark_samples):
    """The graphs are alike, and would read with each other's parameters: wrongly, as the scales in them differ."""
    later_params = mark_params()
    later_params["pred_fc_weight"] *= np.float32(1.5)
    later_params["l0_i2h_weight"] *= np.float32(2)
    expected = {}
    for name, params in (("former", mark_params()), ("later", later_params)):
        prefix = save(tmp_path / name / "ocr", mark_recipe(), params)
        assert quantize.main([f"--prefix={prefix}", f"--samples={mark_samples}", *FEW]) == 0
        expected[name] = read(f"{prefix}-int8")
    assert np.abs(expected["former"] - expected["later"]).max() > 0.01

    for i in range(MOST_CHANGES):
        (tmp_path / str(i)).mkdir()
        for path in files_of(tmp_path / "former" / "ocr-int8"):
            (tmp_path / str(i) / path.name).write_bytes(path.read_bytes())
    arguments = [str(MOST_CHANGES), str(tmp_path), f"--prefix={tmp_path}/later/ocr", f"--samples={mark_samples}", *FEW]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env={**UNMEASURED, "OMP_NUM_THREADS": "1"},
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
