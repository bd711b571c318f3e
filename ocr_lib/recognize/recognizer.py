"""What all that reads images has in common, whatever runs the network."""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    overload,
)

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import naming
from ocr_lib.images.inputs import ImageInput, is_several, load_image, name_of
from ocr_lib.preparation import Preparation, pad, parts_of_like_width
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.reading import Reading, readings

S = TypeVar("S", Sequence[Any], np.ndarray)


def batches(items: S, size: int) -> List[S]:
    """Part a sequence, or an array along its first axis, into parts of so many items, the last one of the rest."""
    return [items[start : start + size] for start in range(0, len(items), size)]


@lru_cache(maxsize=2**16)
def _encoded(alphabet: Alphabet, word: str) -> List[int]:
    return alphabet.encode(word)  # lexicons have the same words again and again


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
    max_pixels : int
        `predict` refuses images with more; files with more than 50,000,000 are refused in any case.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        preparation: Preparation,
        batch_size: int = 128,
        decode: Decoder = best_path,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.alphabet = alphabet
        self.preparation = preparation
        self._batch_size = batch_size
        self.decode = decode
        self._max_pixels = max_pixels

    @abstractmethod
    def probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Put prepared images through the network.

        Parameters
        ----------
        images : numpy.ndarray
            (N, H, W) uint8; of a network of three channels (N, 3 H, W), as `ocr_lib.preparation.pad` gives them.
        widths : numpy.ndarray, optional
            (N,) int, of the images without padding; all W when left out. A network of one width has no padding.

        Returns
        -------
        numpy.ndarray
            (T', N, C) float32; behind a sample's end the blank has probability 1.
        """

    @overload
    def predict(self, images: ImageInput) -> Reading: ...

    @overload
    def predict(self, images: Iterable[ImageInput]) -> List[Reading]: ...

    def predict(self, images: Union[ImageInput, Iterable[ImageInput]]) -> Union[Reading, List[Reading]]:
        """Read an image, or several.

        Parameters
        ----------
        images : str, os.PathLike, bytes, binary file, PIL.Image.Image, numpy.ndarray, or an iterable of such
            Image files by their paths, open, or what they hold, which may be a bytearray or a memoryview too; images
            of Pillow; arrays of uint8 or uint16: grey (H, W) or (H, W, 1), or in OpenCV's order of colours (H, W, 3),
            or with opacity (H, W, 4). A list, a tuple or a generator may mix them.

        Returns
        -------
        Reading, or list of Reading
            A list for an iterable, in its order.

        Raises
        ------
        OCRError
            Naming the image that can't be read, is too large or no image.
        """
        if is_several(images):
            return self.read([self._loaded(image, f"image {i}") for i, image in enumerate(images)])
        return self.read([self._loaded(images, "the image")])[0]

    def read(self, images: Sequence[np.ndarray], lexicons: Optional[Sequence[Sequence[str]]] = None) -> List[Reading]:
        """Read images, each (H, W), or in OpenCV's order of colours (H, W, 3), uint8 of any size.

        Parameters
        ----------
        images : sequence of numpy.ndarray
        lexicons : sequence of sequence of str, optional
            The texts to choose from for each image: the most probable is taken, whatever the decoder is.

        Returns
        -------
        list of Reading

        Raises
        ------
        OCRError
            If a lexicon has a character that the alphabet lacks.
        """
        found: Dict[int, Reading] = {}
        for indices, probabilities, steps in self._parts(images):
            widths = [self.preparation.line_shape(*images[index].shape[:2])[1] for index in indices]
            decode = self.decode if lexicons is None else self._best_of([lexicons[index] for index in indices])
            found.update(zip(indices, readings(probabilities, self.alphabet, decode, widths, steps)))
        return [found[index] for index in range(len(images))]

    def texts(self, images: Sequence[np.ndarray]) -> List[str]:
        """Read the texts of images alone, without the time that confidences take."""
        found: Dict[int, str] = {}
        for indices, probabilities, _ in self._parts(images):
            found.update(zip(indices, (self.alphabet.decode(labels or []) for labels in self.decode(probabilities))))
        return [found[index] for index in range(len(images))]

    def _best_of(self, lexicons: Sequence[Sequence[str]]) -> Decoder:
        from ocr_lib.recognize.best_word import BestWord  # compiled code, which the first time takes seconds

        return BestWord([[_encoded(self.alphabet, word) for word in words] for words in lexicons])

    def _loaded(self, image: Any, place: str) -> np.ndarray:
        with naming(name_of(image, place)):
            loaded = load_image(image, self.preparation.rendition, self._max_pixels)
            self.preparation.width_of(loaded)
        return loaded

    def _parts(self, images: Sequence[np.ndarray]) -> Iterator[Tuple[List[int], np.ndarray, np.ndarray]]:
        """Yield indices of images, the network's output for them (T', N, C), and the time steps of each (N,)."""
        prepared = [self.preparation.prepare(image) for image in images]
        for indices in parts_of_like_width([image.shape[1] for image in prepared], self._batch_size):
            padded, widths = pad([prepared[index] for index in indices])
            yield indices, self.probabilities(padded, widths), self.preparation.steps(widths)
