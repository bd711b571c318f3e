"""Whether confidence tells how often a checkpoint is right: of whole lines, and of single characters.

It reads captchas that the `captcha` package renders on its own, bins the readings by confidence, and compares it with
the share that is right: expected calibration error of Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural
Networks. ICML 2017. A character is right if the Levenshtein alignment of the text with the truth leaves it as it is.

    python benchmarks/calibration.py --prefix ocr --plot calibration.png font/
"""

from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from accuracy import render
from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein
from report import Row, make_checkpoint_parser, show

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.reader import Reader
from ocr_lib.recognize.reading import Reading

BINS = 15


class Calibration(NamedTuple):
    """Confidences in bins of equal width: how many there are, their mean, and the share that is right."""

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.counts))


def calibrate(confidences: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Put confidences into bins; empty ones have the means 0."""
    bins = np.minimum((np.asarray(confidences) * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums = [np.bincount(bins, weights=values, minlength=BINS) for values in (confidences, right)]
    confidence, accuracy = (values / np.maximum(counts, 1) for values in sums)
    return Calibration(counts, confidence, accuracy)


def judged(reading: Reading, truth: str) -> Iterator[Tuple[float, bool]]:
    """Yield the confidence of each character, and whether it is right."""
    # By characters, not by the text: that is their normal form, and may have fewer.
    found = [character.text for character in reading.characters]
    for block in Levenshtein.opcodes(truth, found):
        for character in reading.characters[block.dest_start : block.dest_end]:
            yield character.confidence, block.tag == "equal"


def plot(calibrations: Dict[str, Calibration], path: Path) -> None:
    """Draw a reliability diagram over the number of readings in each bin, as a PNG."""
    figure = Figure(figsize=(5.5, 6.5), layout="constrained")
    curves, bars = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    curves.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="confidence is accuracy")
    width = 0.4 / BINS
    for index, (name, calibration) in enumerate(calibrations.items()):
        filled = calibration.counts > 0
        label = f"{name}, error {100 * calibration.error:.2f} %"
        curves.plot(calibration.confidence[filled], calibration.accuracy[filled], marker="o", markersize=4, label=label)
        left = np.arange(BINS) / BINS + 0.1 / BINS + index * width
        bars.bar(left, calibration.counts, width, align="edge", label=name)
    curves.set(ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    curves.legend(fontsize=9, loc="lower right")
    bars.set(xlabel="confidence", ylabel="in the bin", yscale="log")
    figure.savefig(path, format="png", dpi=100)


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_checkpoint_parser(__doc__, 2000)
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw a reliability diagram")
    args = parser.parse_args()
    reader = Reader(load_checkpoint(args.prefix))
    recipe = reader.recipe
    fonts = find_fonts(args.font_path, recipe.text.alphabet, recipe.captcha.font_sizes)
    images, texts = render(recipe, fonts, args.count)
    pairs = list(zip(reader.read(images), texts))
    outcomes: Dict[str, List[Tuple[float, bool]]] = {
        "lines": [(reading.confidence, reading.text == truth) for reading, truth in pairs],
        "characters": [outcome for reading, truth in pairs for outcome in judged(reading, truth)],
    }
    calibrations, rows = {}, []
    for name, found in outcomes.items():
        if not found:  # no character was read
            continue
        confidences, right = zip(*found)
        calibrations[name] = calibrate(confidences, right)
        rows += [
            Row(f"{name}: calibration error", 100 * calibrations[name].error, "%"),
            Row(f"{name}: mean confidence", 100 * float(np.mean(confidences)), "%"),
            Row(f"{name}: right", 100 * float(np.mean(right)), "%"),
        ]
    show(rows, args.json)
    if args.plot:
        plot(calibrations, args.plot)


if __name__ == "__main__":
    main()
