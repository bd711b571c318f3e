"""Files that are either whole or absent."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Iterator, Union

from ocr_lib.errors import OCRError


@contextlib.contextmanager
def atomic_path(path: Path, sync: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving, sync the file and rename it to `path`.

    An exception, or a kill at any moment, leaves what stood at `path` as it was; so does a power cut, with `sync`.

    Raises
    ------
    OCRError
        If the file can't be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
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


def sha256(data: Union[Path, bytes]) -> str:
    """SHA-256 of a file or of bytes, in hexadecimal."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
