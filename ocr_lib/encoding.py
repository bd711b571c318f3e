"""Text files in the encodings that people have them in: UTF-8, with a byte order mark or without, and UTF-16."""

import re
from pathlib import Path
from typing import Iterator, List, Tuple

from ocr_lib.errors import OCRError

_MARK = "\ufeff"
_PEEK = 4096
ADVICE = "save the file in that encoding"


def decode_text(data: bytes) -> str:
    """Return the text that a file holds.

    Raises
    ------
    OCRError
        If it is neither UTF-8 nor UTF-16.
    """
    encoding = _encoding(data[:_PEEK])
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise OCRError(f"neither UTF-8 nor whole UTF-16; {ADVICE}") from error
        line = data.count(b"\n", 0, error.start) + 1
        raise OCRError(f"line {line} is not UTF-8; {ADVICE}") from error


def split_lines(text: str) -> List[str]:
    """Return the lines of a text, whatever system it is from."""
    return re.split(r"\r\n|\r|\n", text)


def lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Yield the lines of a text file with their numbers, without the marks that files once joined begin with.

    Bytes that are not UTF-8 are lone surrogates, as `is_whole` tells.

    Raises
    ------
    OCRError
        If it can't be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_PEEK)
        encoding = _encoding(start)
        errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
        end = "\r" if b"\r" in start and b"\n" not in start else "\n"  # as Excel writes it for the Macintosh
        with path.open(encoding=encoding, errors=errors, newline=end) as text:
            for number, line in enumerate(text, 1):
                yield number, line.rstrip("\r\n").lstrip(_MARK)
    except OSError as error:
        raise OCRError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise OCRError(f"{path}: neither UTF-8 nor whole UTF-16; {ADVICE}") from error


def is_whole(line: str) -> bool:
    """Whether all bytes of a line were UTF-8."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoding(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Of most scripts' UTF-16 without a mark, every other byte of line ends, digits and separators is 0.
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) // 8 and not min(even, odd):
        return "utf-16-be" if even else "utf-16-le"
    return "utf-8-sig"
