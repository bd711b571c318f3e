"""Checkpoints as training writes them: never half, and enough to go on as if nothing had happened."""

import shutil
from pathlib import Path
from typing import Dict, List, Optional, Set

import msgspec

from ocr_lib.errors import OCRError
from ocr_lib.files import atomic_path, sha256, write_atomic
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import Arrays, load_arrays
from ocr_lib.net.manifest import (
    FORMAT,
    MANIFEST,
    RECIPE,
    SYMBOL,
    Manifest,
    Saved,
    files_at,
    manifest_path,
    temporary_files_at,
    verified,
    write_manifest,
)
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import encode_json
from ocr_lib.training.progress import Progress


class Store:
    """The checkpoints of one prefix.

    Of whole epochs the best and the last few are kept, as many as the recipe's ``training.keep`` says. What resuming
    needs, and parameters from amidst an epoch, are kept for the last checkpoint only.

    Parameters
    ----------
    prefix : str
        Path that every file name begins with.
    manifest : Manifest, optional
        Of the run that is there, to go on with it. Left out, whatever checkpoint is there is replaced as soon as there
        is one to replace it with; `ocr_lib.net.manifest.check_free_prefix` tells beforehand whether it is somebody's.
    """

    def __init__(self, prefix: str, manifest: Optional[Manifest] = None) -> None:
        self.prefix = prefix
        self._manifest = manifest
        self._stale = set() if manifest else set(files_at(prefix))

    def progress(self) -> Optional[Progress]:
        """Return the progress of the run to resume, or None for a new one.

        Raises
        ------
        OCRError
            If the manifest's is none.
        """
        if self._manifest is None:
            return None
        try:
            return msgspec.convert(self._manifest.progress, Progress)
        except msgspec.ValidationError as error:
            raise OCRError(f"{manifest_path(self.prefix)}: progress: {error}") from error

    def last_arrays(self) -> Dict[str, Arrays]:
        """Return the last checkpoint's ``params`` and ``states``."""
        assert self._manifest is not None
        files = {"params": self._manifest.last, "states": self._manifest.states}
        return {kind: load_arrays(verified(self.prefix, suffix, self._manifest)) for kind, suffix in files.items()}

    def best(self) -> Optional[Saved]:
        """Return the checkpoint whose validation was best, or None before the first."""
        if self._manifest is None:
            return None
        best = self._manifest.find("best", self.prefix)
        return best if best.metrics else None

    def branch(self, prefix: str) -> None:
        """Go on under another prefix, and leave this one as it is.

        The last checkpoint and the best are copied there; what is there is replaced.

        Raises
        ------
        OCRError
            Naming the file, if one can't be read or written.
        """
        assert self._manifest is not None
        old = self._manifest
        saved = [s for s in old.saved if s.params in (old.best, old.last)]
        wanted = {SYMBOL, RECIPE, old.states, *(s.params for s in saved)}
        sources = {suffix: verified(self.prefix, suffix, old) for suffix in wanted}
        self.prefix, self._stale = prefix, set(files_at(prefix))
        self._clear_the_way()
        for suffix, source in sources.items():
            with atomic_path(self._path(suffix)) as temporary:
                shutil.copyfile(source, temporary)
        files = {suffix: digest for suffix, digest in old.files.items() if suffix in wanted}
        self._conclude(msgspec.structs.replace(old, files=files, saved=saved), set())

    def commit(
        self,
        recipe: Recipe,
        symbol: "mx.sym.Symbol",
        arrays: Dict[str, Arrays],
        progress: Progress,
        metrics: Dict[str, float],
        is_best: bool,
    ) -> Path:
        """Write a checkpoint; it counts from the moment its manifest is in place.

        Parameters
        ----------
        arrays : dict
            ``params``, and ``states`` if the run is to be resumed.

        Returns
        -------
        pathlib.Path
            The file of the parameters.
        """
        stem = f"-{progress.epoch:04d}" + (f"-batch{progress.batch:06d}" if progress.batch else "")
        new = Saved(f"{stem}.params", progress.epoch, progress.batch, metrics)
        suffixes = {kind: f"{stem}.{kind}" for kind in arrays}
        self._clear_the_way()
        for kind, suffix in suffixes.items():
            _save(self._path(suffix), arrays[kind])
        self._replace(SYMBOL, symbol.tojson().encode())
        self._replace(RECIPE, encode_json(recipe))

        old = self._manifest
        best = new.params if is_best or old is None or not self.best() else old.best
        saved = [s for s in (old.saved if old else []) if s.params != new.params]
        saved = _kept([*saved, new], best, recipe.training.keep)
        hashes = dict(old.files) if old else {}
        hashes.update((suffix, sha256(self._path(suffix))) for suffix in (SYMBOL, RECIPE, *suffixes.values()))
        wanted = {SYMBOL, RECIPE, *suffixes.values(), *(s.params for s in saved)}
        files = {suffix: digest for suffix, digest in hashes.items() if suffix in wanted}
        states = suffixes.get("states", "")
        manifest = Manifest(FORMAT, files, saved, best, new.params, states, msgspec.to_builtins(progress))
        self._conclude(manifest, set(hashes))
        return self._path(new.params)

    def _conclude(self, manifest: Manifest, known: Set[str]) -> None:
        """Let the manifest count; of the files that are known, or were replaced, it leaves those that it names."""
        self._manifest = manifest
        write_manifest(self.prefix, manifest)
        for suffix in (self._stale | known) - {MANIFEST, *manifest.files}:
            self._path(suffix).unlink(missing_ok=True)
        self._stale = set()

    def _clear_the_way(self) -> None:
        for left_by_a_kill in temporary_files_at(self.prefix):
            left_by_a_kill.unlink()
        if self._stale:
            manifest_path(self.prefix).unlink(missing_ok=True)
            for suffix in (SYMBOL, RECIPE):  # so that files of two runs are never taken for one
                self._path(suffix).unlink(missing_ok=True)

    def _replace(self, suffix: str, data: bytes) -> None:
        """Write a file that every checkpoint of the run shares, such that a kill leaves the manifest true."""
        path = self._path(suffix)
        if path.exists() and path.read_bytes() == data:
            return
        if self._manifest:
            either = f"{self._manifest.files[suffix]} {sha256(data)}"
            files = {**self._manifest.files, suffix: either}
            write_manifest(self.prefix, msgspec.structs.replace(self._manifest, files=files))
        write_atomic(path, data)

    def _path(self, suffix: str) -> Path:
        return Path(self.prefix + suffix)


def _save(path: Path, arrays: Arrays) -> None:
    with atomic_path(path) as temporary:
        try:
            mx.nd.save(str(temporary), arrays)
        except mx.base.MXNetError as error:
            raise OCRError(
                f"{path} can't be written, as the disk is full or gone; what was saved before is whole"
            ) from error


def _kept(saved: List[Saved], best: str, keep: int) -> List[Saved]:
    """Return those that are kept: the last, the best, and those of the last `keep` whole epochs, or of all if 0."""
    whole = [s.params for s in saved if s.epoch and not s.batch]
    spared = {best, saved[-1].params, *whole[-keep or None :]}
    return [s for s in saved if s.params in spared]
