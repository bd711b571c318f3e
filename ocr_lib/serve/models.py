"""The models of a service: loaded, and loaded again when their files change, while the old ones go on reading."""

import hashlib
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from ocr_lib.deploy.predictor import Predictor
from ocr_lib.errors import OCRError, naming
from ocr_lib.heap import give_back_freed
from ocr_lib.zoo.models import FOLDER, model_path

_log = logging.getLogger(__name__)


class Model(NamedTuple):
    """A model as it is read with.

    Attributes
    ----------
    name : str
    predictor : Predictor
    sha256 : str
        Of the file.
    num_bytes : int
    figures : dict
        How well it reads, of a model that comes with this package.
    """

    name: str
    predictor: Predictor
    sha256: str
    num_bytes: int
    figures: Dict[str, Any]

    def facts(self) -> Dict[str, Any]:
        """Return what a user of the service wants to know."""
        metadata, alphabet = self.predictor.metadata, self.predictor.alphabet
        width, height = self.predictor.preparation.size
        return {
            "name": self.name,
            "alphabet": alphabet.characters,
            "direction": alphabet.writing.direction,
            "width": width,
            "height": height,
            "channels": self.predictor.preparation.channels,
            "precision": metadata.precision,
            "bytes": self.num_bytes,
            "sha256": self.sha256,
            "license": metadata.license,
            "figures": self.figures,
        }


class Models:
    """The models of a process by their names, in the order in which they were given.

    Parameters
    ----------
    named : sequence of (str, str)
        Names, with the path or the name of a model each.
    batch_size, threads : int
        As `Predictor` takes them.

    Raises
    ------
    OCRError
        If one can't be loaded.
    """

    def __init__(self, named: Sequence[Tuple[str, str]], batch_size: int, threads: int) -> None:
        self._open = partial(Predictor, batch_size=batch_size, threads=threads)
        self._paths = {name: model_path(path) for name, path in named}
        self._stamps = {name: _stamp(path) for name, path in self._paths.items()}
        self._models = {name: self._load(name) for name in self._paths}
        self.default = next(iter(self._paths))

    def __iter__(self) -> Iterator[Model]:
        return iter(list(self._models.values()))

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def names(self) -> List[str]:
        """Names of the models."""
        return list(self._models)

    def renew(self, always: bool = False) -> None:
        """Load the models whose files have changed, or all; one that can't be read with leaves the old in its place."""
        for name, path in self._paths.items():
            stamp = _stamp(path)
            if not always and stamp == self._stamps[name]:
                continue
            self._stamps[name] = stamp
            try:
                model = self._load(name)
            except OCRError as error:
                _log.error("the model %s was not renewed: %s", name, error)
                continue
            self._models[name] = model
            _log.info("the model %s was renewed: SHA-256 %s", name, model.sha256)
            give_back_freed()  # of the old one, or of that before, if it is being read with

    def _load(self, name: str) -> Model:
        path = self._paths[name]
        with naming(path):
            data = path.read_bytes()
            predictor = self._open(data)
            predictor.read([np.full((32, 64), 255, np.uint8)])  # what does not read is not taken
        figures = json.loads(path.with_suffix(".json").read_bytes())["figures"] if path.parent == FOLDER else {}
        return Model(name, predictor, hashlib.sha256(data).hexdigest(), len(data), figures)


def _stamp(path: Path) -> Tuple[int, ...]:
    """Return what tells whether a file is another; nothing where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
