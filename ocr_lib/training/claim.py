"""A folder that one run at a time writes to."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Iterator

from ocr_lib.errors import OCRError


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other runs from a folder. It is free again when this process ends, however that is.

    File systems that know no locks keep nobody away.

    Raises
    ------
    OCRError
        If another run has it.
    """
    with contextlib.ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{folder}: another run is writing there: let it end, or give another --prefix"
            raise OCRError(message) from None
        except OSError:  # locks are unknown there
            pass
        yield
