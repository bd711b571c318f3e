"""A served model must run where mxnet can't be installed."""

import subprocess
import sys

MODULES = [
    "ocr_lib.alphabet",
    *(
        f"ocr_lib.recognize.{name}"
        for name in ("automaton", "beam", "ctc", "decode", "lexicon", "metrics", "pattern", "posterior", "reading")
    ),
]


def test_recognition_runs_without_mxnet():
    program = f"import sys; sys.modules['mxnet'] = None; import {', '.join(MODULES)}"
    finished = subprocess.run([sys.executable, "-c", program], check=False, stderr=subprocess.PIPE, timeout=60)
    assert finished.returncode == 0, finished.stderr.decode()
