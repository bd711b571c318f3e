"""Golden tensors: every number of a network in whole numbers, for whoever builds it anew in hardware or software."""

from pathlib import Path
from typing import Dict

import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.files import atomic_path
from ocr_lib.fixed.network import IntegerNetwork
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe

GOLDEN = "golden.npz"
EXPONENT = "_exponent"


def golden_tensors(network: IntegerNetwork, image: np.ndarray) -> Dict[str, np.ndarray]:
    """Return every tensor that a network computes of an image.

    Parameters
    ----------
    network : IntegerNetwork
    image : numpy.ndarray
        (H, W) uint8, prepared.

    Returns
    -------
    dict of str to numpy.ndarray
        Whole numbers by name, and under the name with ``_exponent`` behind their exponent, a 0-dimensional array. The
        image is ``image``, columns of the input are ``data`` (T, F), then come ``conv{i}_output`` (K, T', F'); of each
        LSTM layer and time step, in the order in which it is read, ``l{layer}_[r_]index`` (T', 4 H), gates ``i``, ``f``
        and ``o``, candidates ``c``, ``cell`` and ``hidden`` (T', H); ``logits`` (T', C).
    """
    found: Dict[str, np.ndarray] = {"image": image}

    def watch(name: str, numbers: np.ndarray, exponent: int) -> None:
        by_step = name == "logits" or name.startswith("l")
        found[name] = numbers[:, 0] if by_step else numbers[0]
        found[name + EXPONENT] = np.array(exponent)

    network.logits(image[np.newaxis], watch)
    return found


def check_golden(golden: Dict[str, np.ndarray], recipe: Recipe, weights: Weights, image: np.ndarray) -> None:
    """Check golden logits against the network as training computes it.

    Raises
    ------
    OCRError
        If a single one differs.
    """
    from ocr_lib.net.forward import training_logits

    computed = training_logits(recipe, weights, image[np.newaxis])[:, 0]
    if not np.array_equal(computed, golden["logits"] * 2.0 ** golden["logits" + EXPONENT]):
        raise OCRError("the network as training computes it, in single precision, has other logits than whole numbers")


def write_golden(folder: Path, golden: Dict[str, np.ndarray]) -> Path:
    """Write golden tensors as ``golden.npz`` in a folder, which is made if need be."""
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / GOLDEN
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **golden)
    return path
