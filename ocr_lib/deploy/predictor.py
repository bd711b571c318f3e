"""Reading images with an exported model: numpy, OpenCV and ONNX Runtime suffice."""

from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
import onnxruntime

from ocr_lib.cores import usable_cores
from ocr_lib.cv import MAX_PIXELS
from ocr_lib.deploy.metadata import read_metadata
from ocr_lib.deploy.threads import Calls, Threads
from ocr_lib.errors import OCRError, naming
from ocr_lib.preparation import pad
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer, batches
from ocr_lib.zoo.models import model_path

INPUT, WIDTHS, OUTPUT = "images", "widths", "log_probabilities"
# An LSTM's time step is too little work to be shared among threads, so each thread has images of its own; so few that
# what a step computes stays in the fastest caches.
_PART = 16
_calls = Calls()  # of ONNX Runtime, whose sessions have locks


class Predictor(Recognizer):
    """Reads images with a model that ``lstm_ocr_export.py`` wrote.

    Several threads may share one, and so may processes that are forked after it was made. It pickles, together with the
    model, if its decoder does.

    Parameters
    ----------
    model : str, pathlib.Path or bytes
        The ONNX file, or what it holds; or the name of a model that comes with this package, as
        `ocr_lib.zoo.models.model_names` has it. A file of that name goes first.
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
        If there is no such model, or the file can't be read, or is damaged, of another format, or not such a model.

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
        if isinstance(model, bytes):
            name, data = "the model", model
        else:
            name, path = str(model), model_path(model)
            with naming(name):
                data = path.read_bytes()
        self._model = _Model(data, name)
        self._threads = Threads(threads or usable_cores())
        with naming(name):
            self.metadata, alphabet = read_metadata(self._model.properties(), data)
        super().__init__(alphabet, self.metadata.preparation, batch_size, decode, max_pixels)
        first = self.preparation.prepare(np.zeros((1, 1), np.uint8))
        self.probabilities(pad([first])[0])  # the first run is slow: memory, choice of kernels

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
        return self._model.run(feeds)


class _Model:
    """A model that ONNX Runtime has loaded; pickled, it is the file that it was loaded from."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._session = _session(data, name)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._data, self._name)

    def properties(self) -> Dict[str, str]:
        """Return the metadata of the file."""
        try:
            return self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            raise OCRError("the metadata is no text: not a model of ours, or damaged") from error

    def run(self, feeds: Dict[str, np.ndarray]) -> np.ndarray:
        """Return the output for inputs by their names."""
        with _calls:
            return self._session.run([OUTPUT], feeds)[0]


def _session(data: bytes, name: str) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised as well
    providers = ["CPUExecutionProvider"]
    try:
        # Its fallback would print to stdout, try again, and fail in the same way.
        with _calls:
            session = onnxruntime.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime has an exception for each of the ways to be no model
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OCRError(f"{name}: cut off, or not a model that ONNX Runtime can load ({reason})") from error
    return session
