"""Folders of images that tests write, and what is read of them."""

import cv2
import numpy as np

from ocr_lib.sets.dataset import open_dataset


def images(folder, *names):
    """Write images, each with a size of its own."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".png", np.full((10, 20 + number), 200, np.uint8))
        assert done
        path.write_bytes(data)


def items(dataset):
    return [tuple(dataset.item(index)) for index in range(len(dataset))]


def open_all(path, format_=None):
    """Open a data set of which anything may be unusable; return its items, and what is wrong but for the folder."""
    dataset = open_dataset(path, format_, max_problems=1)
    folder = path if path.is_dir() else path.parent
    return items(dataset), [problem.replace(f"{folder}/", "") for problem in dataset.problems]
