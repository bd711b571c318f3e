"""The package as other programs use it: what importing it takes, what it tells, and in which threads it works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ocr_lib.mx
from tests.toy import FONT, SETTINGS
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).parents[1]
SHORT = [("training.epochs", 1), ("training.epoch_size", 64), ("training.validation_size", 16)]
TRAIN = f"""
import json, logging, sys, threading
import ocr_lib
settings = json.loads({json.dumps(json.dumps([*SETTINGS, *SHORT]))})
def train(cpus=None):
    return ocr_lib.train("reader", fonts={str(FONT)!r}, settings=settings, num_proc=1, cpus=cpus)
"""


def run(program, folder):
    environment = {**UNMEASURED, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("level, shown", [pytest.param("WARNING", False, marks=pytest.mark.slow), ("INFO", True)])
def test_what_is_told_of_training_is_in_its_log_and_shown_if_the_program_wants_it(tmp_path, level, shown):
    end = "logging.getLogger('ocr_lib.end').info('the end'); logging.getLogger('ocr_lib.end').warning('a warning')"
    done = run(f"{TRAIN}\nlogging.basicConfig(level={level!r})\ntrain(cpus=1)\n{end}", tmp_path)
    log = (tmp_path / "reader-log" / "train.log").read_text(encoding="utf-8")
    assert "Epoch[0] Validation-accuracy=" in log and "the end" not in log
    assert ("Epoch[0] Validation-accuracy=" in done.stderr) == ("the end" in done.stderr) == shown
    assert done.stderr.count("a warning") == 1
    assert done.stdout == ""


def test_nothing_is_shown_to_a_program_that_has_not_set_up_logging(tmp_path):
    done = run(f"{TRAIN}\nprint(train().best.params)", tmp_path)
    assert (done.stdout, done.stderr) == ("-0001.params\n", "")
    assert "Validation-accuracy" in (tmp_path / "reader-log" / "train.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_training_works_in_any_thread(tmp_path):
    run(f"{TRAIN}\nthread = threading.Thread(target=train)\nthread.start()\nthread.join()", tmp_path)
    assert (tmp_path / "reader-0001.params").exists()


def test_names_are_there_and_nothing_else():
    assert {"train", "load", "captchas", "OCRError"} <= set(ocr_lib.__all__) <= set(dir(ocr_lib))
    assert all(getattr(ocr_lib, name).__name__ == name for name in ocr_lib.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ocr_lib.nothing


def test_importing_it_loads_nothing_heavy(tmp_path):
    loaded = (
        "[name for name in ('numpy', 'cv2', 'numba', 'mxnet', 'PIL', 'msgspec', 'onnxruntime') if name in sys.modules]"
    )
    done = run(f"import sys\nimport ocr_lib\nprint({loaded})\nocr_lib.OCRError\nprint({loaded})", tmp_path)
    assert done.stdout == "[]\n[]\n"
