"""Changes to the bytes of files, as damage or malice would make them."""

import re
from typing import Sequence

import numpy as np


def mutated(seeds: Sequence[bytes], generator: np.random.Generator) -> bytes:
    """Return one of some files with one to three changes."""
    data = bytearray(seeds[generator.integers(len(seeds))])
    for change in generator.choice(len(_CHANGES), generator.integers(1, 4), p=_SHARES):
        _CHANGES[change](data, int(generator.integers(len(data) + 1)), int(generator.integers(1, 9)), generator)
    if generator.random() < _SPLICED:
        other = seeds[generator.integers(len(seeds))]
        data[generator.integers(len(data) + 1) :] = other[generator.integers(len(other) + 1) :]
    return bytes(data)


def _flip(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    data[place : place + 1] = bytes(byte ^ 1 << (length - 1) for byte in data[place : place + 1])


def _fill(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    data[place : place + length] = generator.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * length


def _overwrite(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    data[place : place + length] = generator.bytes(length)


def _copy(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    start = int(generator.integers(len(data) + 1))
    data[place : place + length] = data[start : start + length]


def _insert(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    data[place:place] = generator.bytes(length)


def _delete(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    del data[place : place + int(generator.integers(1, 2 ** (length + 1)))]


def _cut(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    del data[place:]


def _digit(data: bytearray, place: int, length: int, generator: np.random.Generator) -> None:
    """Put digits in place of the next digit: in text, other changes rarely leave a number a number."""
    found = re.compile(rb"\d").search(data, place)
    if found:
        data[found.start() : found.end()] = b"%d" % generator.integers(10 ** generator.integers(1, 10))


_CHANGES = (_flip, _fill, _overwrite, _copy, _insert, _delete, _cut, _digit)
_SHARES = (0.15, 0.15, 0.1, 0.15, 0.1, 0.1, 0.05, 0.2)
_SPLICED = 0.05
