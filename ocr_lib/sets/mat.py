"""MATLAB's .mat files, version 5, as far as texts go: structs, cells and strings, read when they are asked for.

A file is elements, each a tag of a type and a length, and its bytes up to a multiple of 8; up to 4 bytes stand in the
tag itself. An array is an element of elements: flags with its class, dimensions, name, and what is in it. Arrays at the
top may be compressed. What is cut off or damaged is an `OCRError`, raised when it is read.
"""

import math
import struct
import zlib
from functools import lru_cache
from typing import Dict, Iterator, NamedTuple, Tuple

from ocr_lib.errors import OCRError

_HEADER_BYTES = 128
_LITTLE_ENDIAN = b"IM"  # what all machines have written for long
_NEWER = b"MATLAB 7.3"
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}
_MOST_BYTES = 2**30
_DAMAGED = "the file is cut off or damaged"


class Array(NamedTuple):
    """An array of a file.

    Attributes
    ----------
    kind : int
        Its class; 0 of what is empty, or text of several rows.
    size : int
        How many cells, structs, or characters of a row it has.
    name : str
        Of the variable; empty within others.
    rest : memoryview
        The elements behind its name.
    """

    kind: int
    size: int
    name: str
    rest: memoryview

    def text(self) -> str:
        """Return a string; empty for what is none."""
        if self.kind != _CHAR:
            return ""
        kind, data, _ = _element(self.rest, 0)
        try:
            return bytes(data).decode(_ENCODINGS[kind])
        except (LookupError, UnicodeDecodeError):
            raise OCRError(_DAMAGED) from None

    def texts(self) -> Iterator[str]:
        """Yield the strings of a cell array; of another its own, as a single cell may be left out."""
        if self.kind != _CELL:
            yield self.text()
            return
        at = 0
        for _ in range(self.size):
            kind, body, at = _element(self.rest, at)
            yield _text(kind, bytes(body))

    def structs(self) -> Iterator[Dict[str, "Array"]]:
        """Yield the structs of an array of such, each its fields by their names; none of another array."""
        if self.kind != _STRUCT:
            return
        _, length, at = _element(self.rest, 0)
        _, names, at = _element(self.rest, at)
        width = _integers(length)[0]
        if not 0 < width <= 64:
            raise OCRError(_DAMAGED)
        fields = [_until_zero(names[start : start + width]) for start in range(0, len(names), width)]
        if not fields:
            return
        for _ in range(self.size):
            found = {}
            for field in fields:
                kind, body, at = _element(self.rest, at)
                found[field] = _array(kind, body)
            yield found


def variables(data: bytes) -> Iterator[Array]:
    """Yield the arrays of a file."""
    if data[_HEADER_BYTES - 2 : _HEADER_BYTES] != _LITTLE_ENDIAN or data.startswith(_NEWER):
        raise OCRError("no .mat file of MATLAB 5 to 7.2: save it with -v7")
    at = _HEADER_BYTES
    while at < len(data):
        kind, body, after = _element(memoryview(data), at)
        if kind == _COMPRESSED:
            after = at + 8 + len(body)  # these alone are not filled up
            kind, body, _ = _element(memoryview(_inflated(body)), 0)
        if kind == _MATRIX:
            yield _array(kind, body)
        at = after


def _inflated(data: memoryview) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, _MOST_BYTES)
    except zlib.error:
        raise OCRError(_DAMAGED) from None
    if inflater.unconsumed_tail:
        raise OCRError(f"an array of more than {_MOST_BYTES:,} bytes")
    return inflated


@lru_cache(maxsize=2**16)
def _text(kind: int, body: bytes) -> str:
    """Return the string that an element is: lexicons have the same words again and again."""
    return _array(kind, memoryview(body)).text()


def _array(kind: int, body: memoryview) -> Array:
    if kind != _MATRIX:
        raise OCRError(_DAMAGED)
    if not body:
        return Array(0, 0, "", body)
    _, flags, at = _element(body, 0)
    _, dimensions, at = _element(body, at)
    _, name, at = _element(body, at)
    kind = _integers(flags)[0] & 0xFF
    sizes = _integers(dimensions)
    size = math.prod(sizes)
    if min(sizes) < 0:
        raise OCRError(_DAMAGED)
    if kind == _CHAR and size != sizes[-1]:
        kind = 0
    return Array(kind, size, _until_zero(name), body[at:])


def _element(data: memoryview, at: int) -> Tuple[int, memoryview, int]:
    """Return the type and the bytes of the element that begins there, and where the next does."""
    try:
        kind, length = struct.unpack_from("<II", data, at)
    except struct.error:
        raise OCRError(_DAMAGED) from None
    start = at + 8
    if kind >> 16:
        kind, length, start = kind & 0xFFFF, kind >> 16, at + 4
    end = start + length
    if end > len(data) or (start == at + 4 and length > 4):
        raise OCRError(_DAMAGED)
    return kind, data[start:end], (end + 7) & ~7


def _integers(data: memoryview) -> Tuple[int, ...]:
    if len(data) < 4:
        raise OCRError(_DAMAGED)
    return struct.unpack_from(f"<{len(data) // 4}i", data)


def _until_zero(data: memoryview) -> str:
    return bytes(data).split(b"\0")[0].decode("latin-1")
