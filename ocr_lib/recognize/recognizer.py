"""What all that reads images has in common, whatever runs the network."""

from abc import ABC, abstractmethod
from typing import Any, List, NamedTuple, Sequence, Tuple, TypeVar

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cv import cv2
from ocr_lib.image import dark_on_light, fit
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.reading import Reading, readings

S = TypeVar("S", Sequence[Any], np.ndarray)


class Preparation(NamedTuple):
    """What a network wants of an image.

    Attributes
    ----------
    size : (int, int)
        Width and height in pixels.
    is_original : bool
        As MXNet's original example feeds its network: resized bilinearly, light text on dark paper left as it is.
    """

    size: Tuple[int, int]
    is_original: bool = False

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring a grey image, (H, W) uint8 of any size, to what the network reads."""
        return cv2.resize(image, self.size) if self.is_original else fit(dark_on_light(image), self.size)


def batches(items: S, size: int) -> List[S]:
    """Part a sequence, or an array along its first axis, into parts of so many items, the last one of the rest."""
    return [items[start : start + size] for start in range(0, len(items), size)]


class Recognizer(ABC):
    """Reads images with a network.

    Parameters
    ----------
    alphabet : Alphabet
    preparation : Preparation
        What the network wants of an image.
    batch_size : int
        Most images to put through the network at a time.
    decode : Decoder
        Finds the texts in what the network says.
    """

    def __init__(
        self, alphabet: Alphabet, preparation: Preparation, batch_size: int = 128, decode: Decoder = best_path
    ) -> None:
        self.alphabet = alphabet
        self.preparation = preparation
        self._batch_size = batch_size
        self.decode = decode

    @abstractmethod
    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Put images of the network's size through it.

        Parameters
        ----------
        images : numpy.ndarray
            (N, H, W) uint8.

        Returns
        -------
        numpy.ndarray
            (T', N, C) float32.
        """

    def read(self, images: Sequence[np.ndarray]) -> List[Reading]:
        """Read grey images, each (H, W) uint8 of any size."""
        found: List[Reading] = []
        for batch in batches(images, self._batch_size):
            widths = [image.shape[1] for image in batch]
            found += readings(self._probabilities(batch), self.alphabet, self.decode, widths)
        return found

    def texts(self, images: Sequence[np.ndarray]) -> List[str]:
        """Read the texts of grey images alone, without the time that confidences take."""
        return [
            self.alphabet.decode(labels or [])
            for batch in batches(images, self._batch_size)
            for labels in self.decode(self._probabilities(batch))
        ]

    def _probabilities(self, images: Sequence[np.ndarray]) -> np.ndarray:
        return self.probabilities(np.stack([self.preparation.prepare(image) for image in images]))
