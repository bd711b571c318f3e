"""A data set of images that are drawn, written by worker processes."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, List, Optional, Protocol, Sequence, Tuple

import msgspec
import numpy as np
from tqdm import tqdm

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.files import write_atomic
from ocr_lib.recipe.settings import decode_json, encode_json
from ocr_lib.sets.records import index_path, pack, record_writer

FILES_PER_TASK = 20
LABELS = "labels.tsv"
FORMATS = ("png", "rec")


class Artist(Protocol):
    """What draws images by their numbers."""

    def __call__(self, indices: range, wanted: Sequence[int]) -> Tuple[List[str], Sequence[np.ndarray]]:
        """Return the texts of `indices`, and the images of those of them that are `wanted`, uint8 each."""


@dataclass(frozen=True)
class DrawnSet:
    """A data set to be written.

    Attributes
    ----------
    directory : pathlib.Path
    count : int
        Of images.
    kind : str
        What they are, in the singular; names of files begin with its plural.
    settings : msgspec.Struct
        All that the images depend on; kept beside them, so that a run that was stopped can be continued.
    make_artist : callable
        Called in every worker, returns an `Artist`.
    modules : list of str
        That drawing takes.
    """

    directory: Path
    count: int
    kind: str
    settings: msgspec.Struct
    make_artist: Callable[[], Artist]
    modules: List[str]

    def write(self, as_format: str, num_proc: Optional[int], quiet: bool) -> str:
        """Write it, as files or as records, with `num_proc` workers or as many as pay.

        Returns
        -------
        str
            What was written.

        Raises
        ------
        OCRError
            If something else is there.
        """
        if self.count < 1:
            raise OCRError(f"--count must be at least 1, not {self.count}")
        tasks = [range(i, min(i + FILES_PER_TASK, self.count)) for i in range(0, self.count, FILES_PER_TASK)]
        is_record = as_format == "rec"
        make_work: Callable[[], Callable[[range], List[Any]]] = partial(_FileWriter, self.make_artist, self.directory)
        if is_record:
            make_work = partial(_RecordMaker, self.make_artist)
        hide = quiet or not sys.stderr.isatty()
        with OrderedPool[range, List[Any]](make_work, num_proc, self.modules) as pool, tqdm(
            total=self.count, unit="image", disable=hide, leave=False
        ) as bar:
            self._claim()
            results = _each(pool.map(tasks), bar)
            written = self._write_records(results) if is_record else _write_labels(self.directory, results)
        return f"{self.count} {self.kind} images and {written} written to {self.directory}"

    def _claim(self) -> None:
        """Make the folder, or accept one that holds the beginning of the same."""
        directory, plural = self.directory, f"{self.kind}s"
        path = directory / f"{plural}.json"
        if path.exists():
            if decode_json(path.read_bytes(), type(self.settings), str(path)) != self.settings:
                raise OCRError(f"{directory} holds other {plural}, see {path}: choose another --out, or delete it")
            if (directory / _name(self.count)).exists():
                raise OCRError(
                    f"{directory} holds more than {self.count} {plural} already: raise --count, or delete it"
                )
        elif directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise OCRError(f"{directory} is there and was not made by this command: choose another --out")
        write_atomic(path, encode_json(self.settings))

    def _write_records(self, records: Iterable[bytes]) -> str:
        path = self.directory / f"{self.kind}s.rec"
        if path.exists():
            raise OCRError(f"{path} is there already: choose another --out, or delete it")
        with record_writer(path) as write:
            for record in records:
                write(record)
        return f"their texts as {path.name} and {index_path(path).name}"


class _FileWriter:
    """The work of a worker process: images of a range of indices written to files, their names and texts returned."""

    def __init__(self, make_artist: Callable[[], Artist], directory: Path) -> None:
        self._artist = make_artist()
        self._directory = directory

    def __call__(self, indices: range) -> List[Tuple[str, str]]:
        """Write those that are not there yet."""
        missing = [index for index in indices if not (self._directory / _name(index)).exists()]
        texts, images = self._artist(indices, missing)
        for index, image in zip(missing, images):
            path = self._directory / _name(index)
            write_atomic(path, encode_image(image, path), sync=False)
        return [(_name(index), text) for index, text in zip(indices, texts)]


class _RecordMaker:
    """The work of a worker process: images of a range of indices with their texts, as RecordIO records."""

    def __init__(self, make_artist: Callable[[], Artist]) -> None:
        self._artist = make_artist()

    def __call__(self, indices: range) -> List[bytes]:
        """Return the records."""
        texts, images = self._artist(indices, indices)
        return [
            pack(text, encode_image(image, Path("record.png")), index)
            for text, image, index in zip(texts, images, indices)
        ]


def _name(index: int) -> str:
    return f"{index:06d}.png"


def encode_image(image: np.ndarray, path: Path) -> bytes:
    """Encode an image in the format that the path's suffix says.

    Raises
    ------
    OCRError
        If OpenCV writes no such format.
    """
    try:
        done, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        done = False
    if not done:
        raise OCRError(f"{path}: OpenCV writes no images called {path.suffix or 'nothing'}; try .png or .jpg")
    return bytes(data.tobytes())


def _each(results: Iterable[List[Any]], bar: "tqdm") -> Iterator[Any]:
    for result in results:
        yield from result
        bar.update(len(result))


def _write_labels(directory: Path, labels: Iterable[Tuple[str, str]]) -> str:
    path = directory / LABELS
    content = "".join(f"{name}\t{text}\n" for name, text in labels).encode()
    if path.exists() and not content.startswith(path.read_bytes()):
        raise OCRError(f"{path} was changed since it was written: move it away, and run this again")
    write_atomic(path, content)
    return LABELS
