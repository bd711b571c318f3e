"""Running the command that writes captchas, and looking at what it wrote."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from ocr_lib.cli.generate import main
from ocr_lib.files import sha256
from ocr_lib.images.decode import read_image

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "captcha_generator.py"


def run(*arguments):
    """Run the command here; what argparse refuses ends as an exit code too."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        return exit_.code


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: sha256(path) for path in folder.iterdir()}


def start(*arguments, **options):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def difference(*paths):
    one, other = (read_image(path).astype(int) for path in paths)
    return np.abs(one - other).mean()
