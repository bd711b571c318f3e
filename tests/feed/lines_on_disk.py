"""Lines of text as a data set on disk, and a recipe that reads them in their own aspect ratio."""

import cv2
import numpy as np

from ocr_lib.feed.disk import Subset
from ocr_lib.preparation import Preparation
from ocr_lib.sets.dataset import open_dataset
from tests.toy import toy_recipe

HEIGHT = 16


def line_recipe(*settings):
    """Return the toy task's recipe without a width; its network leaves a quarter of the columns."""
    return toy_recipe(("image.width", None), *settings)


def preparation_of(recipe):
    return Preparation(recipe.image.size, shrinkage=recipe.network.shrinkage(0))


def write_lines(folder, lines):
    """Write noisy light paper with a blot as images with these (text, height, width), and open them."""
    generator = np.random.default_rng(0)
    for number, (_, *shape) in enumerate(lines):
        image = generator.integers(180, 256, shape, np.uint8)
        image[2:5, : max(1, shape[1] // 4)] -= 150
        cv2.imwrite(str(folder / f"{number}.png"), image)
    (folder / "labels.tsv").write_text("".join(f"{number}.png\t{line[0]}\n" for number, line in enumerate(lines)))
    return open_dataset(folder)


def subset(dataset, indices, recipe):
    """Return samples of a data set with the widths that the network reads."""
    preparation = preparation_of(recipe)
    widths = [preparation.width_of(dataset.read(index)) for index in indices]
    return Subset(dataset, list(indices), np.array(widths, np.int32))


def epoch(source, number, count, batch_size, split="train"):
    """Return the batches of an epoch."""
    first, end = number * count, (number + 1) * count
    return [source((split, range(start, min(start + batch_size, end)))) for start in range(first, end, batch_size)]


def by_text(batches):
    """Return the images of batches without padding, by what they say."""
    return {
        text: image[:, :width]
        for batch in batches
        for image, text, width in zip(batch.images, batch.texts, batch.widths)
    }
