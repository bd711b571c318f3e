"""Which way up an image is, as cameras and scanners note it."""

import struct
from typing import Dict

import numpy as np

UPRIGHT = 1
_ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_NUMBERS = {1: "B", 3: "H", 4: "I"}  # the types of a directory's entries that are unsigned integers
_ENTRY_BYTES = 12


def orientation_of(exif: bytes) -> int:
    """Return the orientation that EXIF data tells, from 1 (upright) to 8; 1 if it tells none."""
    found = first_directory(exif[len(_PREFIX) :] if exif.startswith(_PREFIX) else exif).get(_ORIENTATION, UPRIGHT)
    return found if UPRIGHT <= found <= 8 else UPRIGHT


def first_directory(data: bytes) -> Dict[int, int]:
    """Return the tags of the first directory of a TIFF file, which is what EXIF data is too, that are one number.

    What is cut off is left out.
    """
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    start = struct.unpack_from(f"{order}I", data, 4)[0] + 2
    if start > len(data):
        return {}
    (size,) = struct.unpack_from(f"{order}H", data, start - 2)
    entries = data[start : start + size * _ENTRY_BYTES]
    found: Dict[int, int] = {}
    for at in range(0, len(entries) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        tag, kind, count = struct.unpack_from(f"{order}HHI", entries, at)
        if count == 1 and kind in _NUMBERS:  # of a tag that comes twice, decoders take the first
            found.setdefault(tag, struct.unpack_from(order + _NUMBERS[kind], entries, at + 8)[0])
    return found


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image (H, W) or (H, W, channels) the way up that its orientation, 1 to 8, asks for."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
