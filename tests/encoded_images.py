"""Image files made in memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(1).integers(0, 256, (24, 40, 4), dtype=np.uint8)
SMOOTH = np.full((24, 40), 230, np.uint8)
SMOOTH[8:16, 5:35] = 20


def encoded(pixels, image_format, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    with io.BytesIO() as file:
        image.save(file, image_format, **options)
        return file.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, rows):
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
