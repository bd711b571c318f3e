"""Reading images with an exported model: numpy, OpenCV and ONNX Runtime suffice."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Optional, Sequence, Union, overload

import numpy as np
import onnxruntime

from ocr_lib.cv import MAX_PIXELS, cv2
from ocr_lib.deploy.metadata import read_metadata
from ocr_lib.errors import OCRError, naming
from ocr_lib.image import decode_image, read_image
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.recognizer import Recognizer, batches

Image = Union[str, Path, bytes, np.ndarray]
INPUT, WIDTHS, OUTPUT = "images", "widths", "log_probabilities"
# An LSTM's time step is too little work to be shared among threads, so each thread has images of its own; so few that
# what a step computes stays in the fastest caches.
_PART = 16


class Predictor(Recognizer):
    """Reads images with a model that ``lstm_ocr_export.py`` wrote. Several threads may share one.

    Parameters
    ----------
    model : str, pathlib.Path or bytes
        The ONNX file, or what it holds.
    batch_size : int
        Most images to put through the network at a time.
    decode : Decoder
        Finds the texts in what the network says; greedily when left out.
    threads : int
        That share the images of a batch; 0 takes one a core.
    max_pixels : int
        Images with more are refused; files with more than 50,000,000 are in any case.

    Raises
    ------
    OCRError
        If the file can't be read, or is damaged, of another format, or not such a model.

    Examples
    --------
    >>> predictor = Predictor("ocr.onnx")  # doctest: +SKIP
    >>> predictor.predict("sample.jpg").text  # doctest: +SKIP
    '0089'
    """

    def __init__(
        self,
        model: Union[str, Path, bytes],
        batch_size: int = 128,
        decode: Decoder = best_path,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        name = "the model" if isinstance(model, bytes) else str(model)
        with naming(name):
            data = model if isinstance(model, bytes) else Path(model).read_bytes()
        self._session = _session(data, name)
        self._threads = ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)))
        try:
            with naming(name):
                self.metadata, alphabet = read_metadata(self._session.get_modelmeta().custom_metadata_map, data)
        except UnicodeDecodeError as error:
            raise OCRError(f"{name}: the metadata is no text: not a model of ours, or damaged") from error
        super().__init__(alphabet, self.metadata.preparation, batch_size, decode)
        self._max_pixels = max_pixels
        first = self.preparation.prepare(np.zeros((1, 1), np.uint8))
        self.probabilities(first[None])  # the first run is slow: memory, choice of kernels

    @overload
    def predict(self, images: Image) -> Reading: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, images: Sequence[Image]) -> List[Reading]: ...

    def predict(self, images: Union[Image, Sequence[Image]]) -> Union[Reading, List[Reading]]:
        """Read an image, or a list of them.

        Parameters
        ----------
        images : str, pathlib.Path, bytes, numpy.ndarray, or a list of such
            Files, what files hold, or arrays of uint8: grey (H, W), or in OpenCV's order of colours (H, W, 3).

        Raises
        ------
        OCRError
            Naming the image that can't be read, or is too large.
        """
        if isinstance(images, (str, Path, bytes, np.ndarray)):
            return self.read([self._load(images, "the image")])[0]
        return self.read([self._load(image, f"image {i}") for i, image in enumerate(images)])

    def probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Put prepared images, (N, H, W) uint8, through the network; returns (T', N, C) float32."""
        return np.exp(self.log_probabilities(images, widths))

    def log_probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Return the natural logarithms of `probabilities`, as the model gives them."""
        if widths is None:
            widths = np.full(len(images), images.shape[2])
        parts = batches(images, _PART), batches(widths, _PART)
        if len(parts[0]) == 1:
            return self._run(images, widths)
        return np.concatenate(list(self._threads.map(self._run, *parts)), axis=1)

    def _run(self, images: np.ndarray, widths: np.ndarray) -> np.ndarray:
        feeds = {INPUT: images, WIDTHS: widths} if self.preparation.size[0] is None else {INPUT: images}
        return self._session.run([OUTPUT], feeds)[0]

    def _load(self, image: Image, name: str) -> np.ndarray:
        if isinstance(image, (str, Path)):
            name, grey = str(image), read_image(Path(image))
        elif isinstance(image, bytes):
            with naming(name):
                grey = decode_image(image)
        else:
            grey = _grey(image, name)
        if grey.size > self._max_pixels:
            raise OCRError(f"{name}: the image is larger than {self._max_pixels:,} pixels")
        with naming(name):
            self.preparation.width_of(grey)
        return grey


def _session(data: bytes, name: str) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised as well
    providers = ["CPUExecutionProvider"]
    try:
        # Its fallback would print to stdout, try again, and fail in the same way.
        session = onnxruntime.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime has an exception for each of the ways to be no model
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OCRError(f"{name}: cut off, or not a model that ONNX Runtime can load ({reason})") from error
    return session


def _grey(image: np.ndarray, name: str) -> np.ndarray:
    if image.dtype != np.uint8 or image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise OCRError(
            f"{name}: an array of {image.dtype} of the shape {image.shape}; it takes uint8 of (H, W) or (H, W, 3)"
        )
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
