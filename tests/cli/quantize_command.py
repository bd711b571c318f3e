"""Running lstm_ocr_quantize.py on a network that is made by hand."""

from pathlib import Path

import numpy as np

from tests.cli.infer_command import write
from tests.small_network import draw_marks

TEXTS = ["0089", "7", "31415", "555", "90", "1234567", "2", "48", "66", "1029"]
FEW = ["--num-calib=4", "--num-test=4"]


def write_samples(folder, texts=TEXTS):
    """Write labelled images as a data set."""
    rows = [f"{write(folder / f'{i}.png', text, zoom=1).name}\t{text}\n" for i, text in enumerate(texts)]
    (folder / "labels.tsv").write_text("".join(rows))
    return folder


def marks(texts=TEXTS):
    return np.stack([draw_marks([int(character) for character in text]) for text in texts])


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def refused(outcome, *parts):
    """Check that a command ended with one line, which says these."""
    code, output, errors = outcome
    assert (code, output, len(errors)) == (1, "", 1), errors
    for part in parts:
        assert str(part) in errors[0]
