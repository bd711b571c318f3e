"""Running lstm_ocr_infer.py on networks and images that are made by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from ocr_lib.cv import cv2
from tests.small_network import draw_marks, mark_params, mark_recipe, save
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "lstm_ocr_infer.py"


def write(path, text="42", alphabet="0123456789", zoom=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, draw_marks([alphabet.index(character) for character in text], zoom))
    assert done
    path.write_bytes(data.tobytes())
    return path


def shifted_params(epoch):
    """Epoch 1 reads every digit as the next one, epoch 2 reads rightly, epoch 3 as the one before."""
    params = mark_params()
    for name in ("pred_fc_weight", "pred_fc_bias"):
        params[name][1:] = np.roll(params[name][1:], 2 - epoch, axis=0)
    return params


def save_epochs(folder):
    """Save three epochs, of which the second is the best."""
    return save(folder / "ocr", mark_recipe(), shifted_params, (1, 2, 3), (0.2, 1.0, 0.3))


def run_script(*arguments, cwd=ROOT):
    finished = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        timeout=120,
        check=False,
        env=UNMEASURED,
    )
    return finished.returncode, finished.stdout.decode(), finished.stderr.decode()
