"""A served model must run where mxnet can't be installed."""

import subprocess
import sys
from pkgutil import iter_modules

from ocr_lib import recognize

MODULES = ["ocr_lib.alphabet", *(f"ocr_lib.recognize.{module.name}" for module in iter_modules(recognize.__path__))]


def test_recognition_runs_without_mxnet():
    program = f"import sys; sys.modules['mxnet'] = None; import {', '.join(MODULES)}"
    finished = subprocess.run([sys.executable, "-c", program], check=False, stderr=subprocess.PIPE, timeout=60)
    assert finished.returncode == 0, finished.stderr.decode()
