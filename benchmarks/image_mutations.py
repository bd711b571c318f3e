"""Changes to image files that get past checksums, into what decoders do with headers and pixels."""

import re
import struct
import zlib
from typing import Sequence

import numpy as np
from mutations import mutated

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_NAMES = re.compile(rb"IHDR|PLTE|tRNS|IDAT|IEND|acTL|fcTL|fdAT|eXIf|iCCP|pHYs")
_TIFF_TAGS = [254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 347]
_NUMBERS = [*range(10), 16, 32, 127, 128, 255, 256, 1000, 4096, 2**14, 2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**24]
_NUMBERS += [2**31 - 1, 2**31, 2**32 - 1]
_HEAD_BYTES = 64
_UNTOUCHED = 0.2  # share of the PNGs whose checksums stay wrong, of the TIFFs whose directories stay right


def mutated_image(seeds: Sequence[bytes], generator: np.random.Generator) -> bytes:
    """Return one of some image files with changes anywhere, or to its head alone."""
    if generator.random() < 0.7:
        return mutated(seeds, generator)
    data = seeds[generator.integers(len(seeds))]
    return mutated([data[:_HEAD_BYTES]], generator) + data[_HEAD_BYTES:]


def mutated_png(seeds: Sequence[bytes], generator: np.random.Generator) -> bytes:
    """Return one of some PNGs with changes to its bytes or to its compressed pixels."""
    if generator.random() < _UNTOUCHED:
        return mutated_image(seeds, generator)
    if generator.random() < 0.5:
        return _rebuilt(mutated_image(seeds, generator))
    data = seeds[generator.integers(len(seeds))]
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    pixels = zlib.decompress(data[at + 4 : at + 4 + length])
    return _rebuilt(data[: at + 4] + zlib.compress(mutated([pixels], generator)) + data[at + 4 + length :])


def mutated_tiff(seeds: Sequence[bytes], generator: np.random.Generator) -> bytes:
    """Return one of some TIFFs with changes to its bytes or to the entries of its first directory."""
    if generator.random() < _UNTOUCHED:
        return mutated_image(seeds, generator)
    data = bytearray(seeds[generator.integers(len(seeds))])
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (size,) = struct.unpack_from(f"{order}H", data, start)
    for _ in range(generator.integers(1, 4)):
        entry = start + 2 + 12 * int(generator.integers(size))
        number = int(generator.choice(_NUMBERS))
        field, value = [("H", number & 0xFFFF), ("I", number), ("I", number), ("I", number)][generator.integers(4)]
        place = entry + (4 if generator.random() < 0.15 else 8)  # how many values, or the value itself
        struct.pack_into(order + field, data, place, value)
        if generator.random() < 0.15:
            tag = int(generator.choice(_TIFF_TAGS))
            struct.pack_into(f"{order}HH", data, entry, tag, int(generator.integers(20)))
    return bytes(data)


def _rebuilt(data: bytes) -> bytes:
    """Return a PNG with the lengths and checksums of its chunks put right."""
    names = [*_PNG_NAMES.finditer(data)]
    ends = [name.start() - 8 for name in names[1:]] + [len(data) - 4]
    chunks = []
    for name, end in zip(names, ends):
        content = data[name.start() : max(name.end(), end)]
        chunks.append(struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)))
    return _PNG_START + b"".join(chunks)
