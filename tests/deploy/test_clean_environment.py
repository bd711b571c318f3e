"""An exported model is read where nothing but numpy, OpenCV and ONNX Runtime is installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_lib.deploy import Predictor
from tests.cli.infer_command import write
from tests.deploy.models import mark_model

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["numpy", "opencv-python-headless", "onnxruntime"]
NOT_NEEDED = ["mxnet", "numba", "msgspec", "onnx", "PIL", "rapidfuzz", "scipy", "fontTools", "captcha"]
PROGRAM = f"""
import json, sys
from ocr_lib.deploy import Predictor
text, confidence, *_ = Predictor(sys.argv[1]).predict(sys.argv[2])
brought = [name for name in {NOT_NEEDED} if name in sys.modules]
print(json.dumps([text, confidence, brought, list(sys.version_info[:2])]))
"""


def run(*command, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_CONSTRAINT")}
    environment.update(variables)
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=280, check=False, env=environment
    )


def newest_python():
    """Return a Python 3.13, which MXNet has no release for, or else the one that runs the tests, if it makes venvs."""
    found = shutil.which("python3.13")  # may be a shim, which knows no version that is not chosen
    root = os.environ.get("PYENV_ROOT") or (found and Path(found).parent.parent)
    installed = sorted(Path(root).glob("versions/3.13*/bin/python3.13")) if root else []
    for candidate in filter(None, [found, *installed, sys.executable]):
        if run(candidate, "-c", "import venv, ensurepip").returncode == 0:
            return candidate
    return pytest.skip("neither a Python 3.13 nor the one that runs the tests has venv and ensurepip")


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean") / "venv"
    made = run(newest_python(), "-m", "venv", folder)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    options = ["--quiet", "--no-compile", "--retries=1", "--timeout=20", "--only-binary=:all:"]
    installed = run(python, "-m", "pip", "install", *options, *PACKAGES)
    if installed.returncode:
        pytest.skip(f"pip can't install {', '.join(PACKAGES)}: {installed.stderr.strip().splitlines()[-1]}")
    yield python
    shutil.rmtree(folder)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ocr.onnx").write_bytes(mark_model())
    return tmp_path / "ocr.onnx", write(tmp_path / "a.png", "31415")


def check(python, files):
    finished = run(python, "-c", PROGRAM, *files, PYTHONPATH=str(ROOT))
    assert (finished.returncode, finished.stderr) == (0, "")
    text, confidence, brought, version = json.loads(finished.stdout)
    here = Predictor(files[0]).predict(files[1])
    assert (text, brought) == ("31415", [])
    assert confidence == pytest.approx(here.confidence, abs=1e-5)
    return version


def test_reads_with_three_packages(clean_python, files):
    listed = json.loads(run(clean_python, "-m", "pip", "list", "--format=json").stdout)
    assert {"mxnet", "onnx", "numba", "msgspec"}.isdisjoint(package["name"] for package in listed)
    check(clean_python, files)


def test_brings_in_nothing_else_where_all_is_installed(files):
    assert check(sys.executable, files) == list(sys.version_info[:2])
