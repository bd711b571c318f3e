"""Files that are either whole or absent."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Iterator, Union

from ocr_lib.errors import OCRError

TEMPORARY = ".", ".tmp"
"""What names of files that are being written have before and behind their own."""


@contextlib.contextmanager
def atomic_path(path: Path, sync: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving, sync the file and rename it to `path`.

    An exception, or a kill at any moment, leaves what stood at `path` as it was; so does a power cut, with `sync`.

    Raises
    ------
    OCRError
        If the file can't be written.
    """
    temporary = path.with_name(path.name.join(TEMPORARY))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if sync:
            _sync(temporary, os.O_RDWR)
        temporary.replace(path)
        if sync:
            _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        raise OCRError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_atomic(path: Path, data: bytes, sync: bool = True) -> None:
    """Write `data` to `path`, whole or not at all; see `atomic_path`."""
    with atomic_path(path, sync) as temporary:
        temporary.write_bytes(data)


def check_free(path: Path, overwrite: bool = False) -> None:
    """Refuse to write to where something is, as it is somebody's, or where nothing can be.

    Parameters
    ----------
    path : pathlib.Path
        Of a file that is to be written.
    overwrite : bool
        The user has said that a file there may be replaced; a folder may not.

    Raises
    ------
    OCRError
        Naming it.
    """
    if path.is_dir():
        raise OCRError(f"{path} is a folder: give the name of a file")
    if os.path.lexists(path) and not overwrite:
        raise OCRError(f"{path} is there already: --overwrite replaces it, another name leaves it alone")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Refuse a path in whose folder no file can be made, nor the folder itself: before there is work to lose.

    Raises
    ------
    OCRError
        Naming both.
    """
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise OCRError(f"{path} can't be written: {folder} is no folder that takes files")


def sha256(data: Union[Path, bytes]) -> str:
    """SHA-256 of a file or of bytes, in hexadecimal."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
