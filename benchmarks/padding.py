"""1,000 lines of any width, padded to the widest: read as each alone?

Given lines are stretched, squeezed and otherwise changed, as in training, until there are so many.

    python benchmarks/padding.py PREFIX LINES
"""

from pathlib import Path
from typing import List

import numpy as np
from report import Row, make_parser, show

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.feed.augment import augment
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.preparation import pad
from ocr_lib.recipe.augmentation import AugmentationRecipe
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.recognizer import Recognizer, batches
from ocr_lib.sets.dataset import open_dataset

COUNT = 1000
BATCH_SIZE = 50
CHANGES = AugmentationRecipe(scale=0.5, shear=0.1, shift=1.0, noise=20.0)


def differing(recognizer: Recognizer, images: List[np.ndarray]) -> int:
    """Count the images whose text changes when they are padded to the widest of all."""
    padded, widths = pad(images)
    together: List[List[int]] = []
    for part in zip(batches(padded, BATCH_SIZE), batches(widths, BATCH_SIZE)):
        together += best_path(recognizer.probabilities(*part))
    alone = [best_path(recognizer.probabilities(image[None]))[0] for image in images]
    return sum(map(list.__ne__, together, alone))


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("prefix")
    parser.add_argument("lines", type=Path)
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.prefix)
    dataset = open_dataset(args.lines)
    generator = np.random.default_rng(0)
    images = []
    for index in range(COUNT):
        image = checkpoint.preparation.prepare(dataset.read(index % len(dataset)))
        images.append(augment(image, CHANGES, generator))
    widths = [image.shape[1] for image in images]
    rows = [Row("narrowest", min(widths), "pixels"), Row("widest", max(widths), "pixels")]
    model = export_onnx(checkpoint.recipe, numpy_weights(checkpoint))
    for name, recognizer in (("MXNet", Reader(checkpoint, BATCH_SIZE)), ("ONNX", Predictor(model))):
        rows.append(Row(f"{name}: texts that differ of {COUNT:,}", differing(recognizer, images), "lines"))
    show(rows, args.json)


if __name__ == "__main__":
    main()
