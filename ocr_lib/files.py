"""Files that are either whole or absent."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Iterator, Union

from ocr_lib.errors import OCRError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving, sync the file and rename it to `path`.

    An exception, or a kill at any moment, leaves what stood at `path` as it was.

    Raises
    ------
    OCRError
        If the file can't be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise OCRError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def sha256(data: Union[Path, bytes]) -> str:
    """SHA-256 of a file or of bytes, in hexadecimal."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest()
