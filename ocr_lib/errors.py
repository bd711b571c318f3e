"""The one exception that stands for a fault the user can mend."""

import contextlib
from typing import Iterator


class OCRError(Exception):
    """A fault of the input, the files or the machine, told in one line.

    The commands print the message without a traceback and exit with 1, so it names what was wrong and what to do.
    """


@contextlib.contextmanager
def naming(source: object) -> Iterator[None]:
    """Let what goes wrong within be told as an `OCRError` that begins with its source: a file, say."""
    try:
        yield
    except OSError as error:
        raise OCRError(f"{source}: {error.strerror or error}") from error
    except OCRError as error:
        raise OCRError(f"{source}: {error}") from error


def option_name(option: str) -> str:
    """Return an option as the command line has it, from its name in Python."""
    return f"--{option.replace('_', '-')}"
