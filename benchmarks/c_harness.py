"""A network in C, compiled into this process."""

import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import List

import numpy as np

from ocr_lib.deploy.c_source import MODEL, c_files
from ocr_lib.fixed.network import IntegerNetwork
from ocr_lib.recipe.recipe import Recipe

COMPILER = os.environ.get("CC", "cc")
_OPTIONS = "-std=c99 -O3 -march=native -DOCR_FAST -shared -fPIC -o reader.so ocr_reader.c model.c harness.c"
_HARNESS = """
#include "ocr_reader.h"
static ocr_reader reader;
int open_model(void) { return (int)ocr_open(&reader, ocr_model, ocr_model_size); }
int read_image(const uint8_t *image, uint32_t width) { return (int)ocr_read(&reader, image, width); }
unsigned memory(void) { return (unsigned)sizeof reader; }
void copy_logits(int64_t *to)
{
    for (uint32_t t = 0; t < reader.steps; t++)
        for (uint32_t c = 0; c < reader.classes; c++)
            *to++ = (int64_t)ocr_logits(&reader, t)[c];
}
"""


class CReader:
    """Reads prepared images.

    Parameters
    ----------
    network : IntegerNetwork
    recipe : Recipe
    images : list of numpy.ndarray
        Prepared ones, the widest among them.
    cc : str
        The compiler.

    Attributes
    ----------
    model_bytes, memory : int
    """

    def __init__(self, network: IntegerNetwork, recipe: Recipe, images: List[np.ndarray], cc: str = COMPILER) -> None:
        widest = max(images, key=lambda image: image.shape[1])
        files = c_files(network, recipe, [images[0], widest])
        self.model_bytes = len(files[MODEL])
        with tempfile.TemporaryDirectory() as folder:
            for name, data in {**files, "harness.c": _HARNESS.encode()}.items():
                Path(folder, name).write_bytes(data)
            subprocess.run([cc, *_OPTIONS.split()], cwd=folder, check=True)
            subprocess.run(["make", "-s", "test", f"CC={cc}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            self._library = ctypes.CDLL(str(Path(folder, "reader.so")))
        assert self._library.open_model() == 0
        self.memory: int = self._library.memory()

    def read(self, image: np.ndarray) -> float:
        """Read an image, (H, W) uint8 without gaps; returns the seconds that took."""
        began = time.perf_counter()
        assert self._library.read_image(image.ctypes.data_as(ctypes.c_char_p), image.shape[1]) == 0
        return time.perf_counter() - began

    def logits(self, steps: int, classes: int) -> np.ndarray:
        """Return the logits of the last image, (T', C) int64."""
        found = np.zeros((steps, classes), np.int64)
        self._library.copy_logits(found.ctypes.data_as(ctypes.c_void_p))
        return found
