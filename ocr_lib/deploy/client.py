"""Reading images by a service that `lstm_ocr_serve.py` runs: httpx, numpy and OpenCV suffice."""

import time
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Union, overload

import httpx
import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.inputs import ImageInput, file_bytes, is_several, load_image, name_of
from ocr_lib.images.pillow import is_pillow
from ocr_lib.images.pixels import Rendition
from ocr_lib.recognize.reading import Character, Reading
from ocr_lib.writing import Writing

_MOST_IMAGES = 32  # of a request
_MOST_BYTES = 8 * 2**20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds
_COLOUR = Rendition(3)


class Client:
    """Reads images by a service, as a `Predictor` does by a model.

    Parameters
    ----------
    url : str
        Of the service: ``http://127.0.0.1:8000``.
    model : str, optional
        Which of its models is to read; its first when left out.
    key : str, optional
        That it asks for.
    pattern : str, optional
        Read only texts that match it as a whole.
    lexicon : sequence of str
        Read only these; any when empty.
    timeout : float
        Seconds that an answer may take.
    retries : int
        How often to come again while the service is busy, after longer and longer pauses.
    """

    def __init__(
        self,
        url: str,
        model: Optional[str] = None,
        key: Optional[str] = None,
        pattern: Optional[str] = None,
        lexicon: Sequence[str] = (),
        timeout: float = 30.0,
        retries: int = 8,
    ) -> None:
        self._url = url.rstrip("/")
        self._retries = retries
        wished = {"model": model, "pattern": pattern, "lexicon": list(lexicon)}
        self._wishes = {name: value for name, value in wished.items() if value}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._http = httpx.Client(headers=headers, timeout=timeout)
        except ValueError as error:
            raise OCRError(f"the key is none that HTTP can carry: {error}") from error

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def models(self) -> List[Dict[str, Any]]:
        """Return the facts of the service's models.

        Raises
        ------
        OCRError
            If it does not answer.
        """
        models: List[Dict[str, Any]] = self._ask("GET", "/v1/models")["models"]
        return models

    @property
    def alphabet(self) -> Alphabet:
        """Of the model that reads."""
        models = {model["name"]: model for model in self.models()}
        name = self._wishes.get("model") or next(iter(models))
        if name not in models:
            raise OCRError(f"{self._url}: no model {name!r}; there are {', '.join(models)}")
        return Alphabet(models[name]["alphabet"], Writing(direction=models[name]["direction"]))

    @overload
    def predict(self, images: ImageInput) -> Reading: ...

    @overload
    def predict(self, images: Iterable[ImageInput]) -> List[Reading]: ...

    def predict(self, images: Union[ImageInput, Iterable[ImageInput]]) -> Union[Reading, List[Reading]]:
        """Read an image, or several.

        Parameters
        ----------
        images
            As `Predictor.predict` takes them.

        Returns
        -------
        Reading, or list of Reading
            Without `probabilities`, which stay where they are: (0, 0).

        Raises
        ------
        OCRError
            Naming the image that can't be read; or if the service does not answer, or refuses.
        """
        if is_several(images):
            given = list(images)
            return self._read(given, [f"image {i}" for i in range(len(given))])
        return self._read([images], ["the image"])[0]

    def outcomes(self, files: Sequence[bytes]) -> List[Union[Reading, OCRError]]:
        """Read files of images; the error is that of the one image.

        Raises
        ------
        OCRError
            If the service does not answer, or refuses.
        """
        found: List[Union[Reading, OCRError]] = []
        for part in _parts(files):
            named = [("files", (str(place), data, "application/octet-stream")) for place, data in enumerate(part)]
            answer = self._ask("POST", "/v1/read", params=self._wishes, files=named)
            found += [_outcome(each) for each in answer["readings"]]
        return found

    def _read(self, images: Sequence[Any], places: Sequence[str]) -> List[Reading]:
        readings = []
        for image, place, outcome in zip(images, places, self.outcomes([_file(image) for image in images])):
            if isinstance(outcome, OCRError):
                raise OCRError(f"{name_of(image, place)}: {outcome}") from outcome
            readings.append(outcome)
        return readings

    def _ask(self, method: str, path: str, **options: Any) -> Dict[str, Any]:
        pause = _FIRST_PAUSE
        for left in range(self._retries, -1, -1):
            try:
                response = self._http.request(method, self._url + path, **options)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise OCRError(f"{self._url} does not answer: {error or type(error).__name__}") from error
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or not left:
                return self._answer(response)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("the last try returns or raises")

    def _answer(self, response: httpx.Response) -> Dict[str, Any]:
        try:
            answer = response.json()
            if "readings" in answer or response.is_success:
                return dict(answer)
            message = answer["error"]
        except (ValueError, KeyError, TypeError):
            message = "no service of lstm_ocr_serve.py"
        raise OCRError(f"{self._url}: {message} (status {response.status_code})")


def _file(image: Any) -> bytes:
    """Return the file of an image; an array, or an image of Pillow, becomes a PNG."""
    if not (isinstance(image, np.ndarray) or is_pillow(image)):
        return file_bytes(image)
    return bytes(cv2.imencode(".png", load_image(image, _COLOUR))[1])


def _parts(files: Sequence[bytes]) -> Iterator[List[bytes]]:
    part: List[bytes] = []
    for data in files:
        if part and (len(part) == _MOST_IMAGES or sum(map(len, part)) + len(data) > _MOST_BYTES):
            yield part
            part = []
        part.append(data)
    if part:
        yield part


def _outcome(answer: Dict[str, Any]) -> Union[Reading, OCRError]:
    if "error" in answer:
        return OCRError(answer["error"])
    characters = tuple(Character(**character) for character in answer["characters"])
    return Reading(answer["text"], answer["confidence"], np.empty((0, 0), np.float32), characters)
