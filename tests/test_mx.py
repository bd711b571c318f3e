"""How MXNet is set up, and what is said where it, or its CUDA, is missing."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.mx import contexts, mx

ROOT = Path(__file__).resolve().parents[1]

# Importing mxnet raises FAULT; the rest is what the command line would do.
BLOCKED = """
import os
import runpy
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name == "mxnet":
            raise {fault}

sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[1:]
sys.path.insert(0, ".")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_blocked(*argv, fault="ModuleNotFoundError(\"No module named 'mxnet'\")"):
    """Run a script where importing mxnet fails; return the exit code, stdout and the lines of stderr."""
    program = BLOCKED.format(fault=fault)
    finished = subprocess.run(
        [sys.executable, "-c", program, *map(str, argv)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return finished.returncode, finished.stdout, finished.stderr.splitlines()


class TestContexts:
    def test_the_cpu(self):
        assert contexts() == contexts(0) == [mx.cpu()]

    def test_gpus_need_an_mxnet_with_cuda(self, monkeypatch):
        monkeypatch.setattr(mx.runtime, "Features", lambda: FakeFeatures(cuda=False))
        with pytest.raises(OCRError) as caught:
            contexts(1)
        message = str(caught.value)
        assert "\n" not in message
        assert how_to_install("train-gpu") in message

    def test_the_first_gpus(self, monkeypatch):
        monkeypatch.setattr(mx.runtime, "Features", lambda: FakeFeatures(cuda=True))
        monkeypatch.setattr(mx.context, "num_gpus", lambda: 2)
        assert contexts(1) == [mx.gpu(0)]
        assert contexts(2) == [mx.gpu(0), mx.gpu(1)]
        with pytest.raises(OCRError, match="^--gpu 3 asks for more GPUs than the 2 that MXNet sees here$"):
            contexts(3)


class FakeFeatures:
    """What an MXNet was built with."""

    def __init__(self, cuda):
        self.cuda = cuda

    def is_enabled(self, name):
        assert name == "CUDA"
        return self.cuda


@pytest.mark.skipif(mx.runtime.Features().is_enabled("CUDA"), reason="this MXNet has CUDA")
def test_gpu_with_the_cpu_build_is_one_line():
    with pytest.raises(OCRError, match=r"^--gpu needs an MXNet with CUDA, .*pip install --editable .*\[train-gpu\]"):
        contexts(1)


class TestMissing:
    @pytest.fixture
    def image(self, tmp_path):
        assert cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9), np.uint8))
        return tmp_path / "a.png"

    def test_command_says_what_to_install(self, image):
        code, output, errors = run_blocked("lstm_ocr_infer.py", image)
        assert (code, output) == (1, "")
        assert errors == [
            "lstm_ocr_infer.py: error: MXNet does not load (No module named 'mxnet'): pip install --editable '.[train]'"
        ]

    @pytest.mark.parametrize(
        "fault",
        [
            "OSError('libcudart.so.11.0: cannot open shared object file')",
            "AttributeError('module numpy has no attribute bool')",
        ],
    )
    def test_one_that_does_not_load_is_one_line(self, image, fault):
        code, _, errors = run_blocked("lstm_ocr_infer.py", image, fault=fault)
        assert code == 1
        assert len(errors) == 1
        assert errors[0].startswith("lstm_ocr_infer.py: error: MXNet does not load (")
        assert fault.split("'")[1] in errors[0]

    def test_debug_shows_the_traceback(self, image):
        code, _, errors = run_blocked("lstm_ocr_infer.py", "--debug", image)
        assert code == 1
        assert errors[0].startswith("Traceback")
        assert any("ocr_lib/mx.py" in line for line in errors)

    def test_help_needs_none(self):
        for script in ("lstm_ocr_infer.py", "lstm_ocr_train.py", "captcha_generator.py"):
            code, output, errors = run_blocked(script, "--help")
            assert (code, errors) == (0, [])
            assert output.startswith(f"usage: {script}")

    @pytest.mark.parametrize("version, runs", [((3, 13), False), ((3, 14), False), ((3, 12), True)])
    def test_a_python_that_no_mxnet_runs_on(self, monkeypatch, version, runs):
        class Version(tuple):
            major, minor = version

        monkeypatch.setitem(sys.modules, "mxnet", None)
        monkeypatch.setattr(sys, "version_info", Version(version))
        with pytest.raises(OCRError) as caught:
            runpy.run_path(str(ROOT / "ocr_lib" / "mx.py"))
        message = str(caught.value)
        assert (how_to_install("train") in message) == runs
        assert (f"runs on Python 3.8 to 3.12; this is Python 3.{version[1]}" in message) != runs


def test_operators_run_in_the_calling_thread_and_on_every_core(tmp_path):
    program = """
import os, threading
from ocr_lib.mx import mx
threads = len(os.listdir("/proc/self/task"))
assert (mx.nd.ones((2, 2)) + 1).asnumpy().sum() == 8
assert len(os.listdir("/proc/self/task")) == threads
print(os.environ["OMP_NUM_THREADS"], os.environ.get("MXNET_ENGINE_TYPE"))
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MXNET_ENGINE_TYPE")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{len(os.sched_getaffinity(0))} None\n", "")


def test_the_environment_chooses_the_engine():
    program = "from ocr_lib.mx import mx; mx.nd.waitall()"
    environment = {**os.environ, "MXNET_ENGINE_TYPE": "ThreadedEngine"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=False)
    assert "ThreadedEngine" in done.stderr


@pytest.mark.parametrize("first", ["import ocr_lib; import mxnet as mx", "from ocr_lib.mx import mx; import mxnet"])
def test_mxnet_can_be_imported_once_this_package_was(first, tmp_path):
    program = f"{first}\nprint(mx.nd.ones(2).sum().asscalar())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error::FutureWarning", "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0\n", "")
