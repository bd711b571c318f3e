"""Image files made in memory, some of which no library writes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(1).integers(0, 256, (24, 40, 4), dtype=np.uint8)
SMOOTH = np.full((24, 40), 230, np.uint8)
SMOOTH[8:16, 5:35] = 20

_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # the type that has so many channels


def encoded(pixels, image_format, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    with io.BytesIO() as file:
        image.save(file, image_format, **options)
        return file.getvalue()


def turned(orientation):
    """Return EXIF data that asks for a turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, rows, colours=0, interlaced=0, before=b""):
    """Return a PNG of compressed rows, with chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced)
    chunks = png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_of(pixels, interlaced=False):
    """Return a PNG of pixels (H, W, channels), uint8 or uint16."""
    height, width, channels = pixels.shape
    passes = _ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = [b"\0" + row.tobytes() for y, x, down, right in passes for row in _big(pixels)[y::down, x::right]]
    depth = 8 * pixels.itemsize
    return png(width, height, depth, zlib.compress(b"".join(rows)), _PNG_COLOURS[channels], int(interlaced))


def bmp(width, height, bits, body, compression=0, masks=b"", palette=b""):
    before = 14 + 40 + len(masks) + len(palette)
    file = b"BM" + struct.pack("<IHHI", before + len(body), 0, 0, before)
    sizes = (40, width, height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    return file + struct.pack("<IiiHHIIiiII", *sizes) + masks + palette + body


def old_bmp(pixels):
    """Return a BMP of pixels (H, W, 3) whose header has 12 bytes, as OS/2 wrote it."""
    height, width, _ = pixels.shape
    body = b"".join(row.tobytes().ljust(-(-width * 3 // 4) * 4, b"\0") for row in pixels[::-1])
    return b"BM" + struct.pack("<IHHIIHHHH", 26 + len(body), 0, 0, 26, 12, width, height, 1, 24) + body


def tiff(pixels, order="<", tile=0, planes=False, compressed=False, more=()):
    """Return a TIFF of pixels (H, W, channels), in strips or tiles, with more tags: (number, "H" or "I", values)."""
    height, width, channels = pixels.shape
    ordered = pixels.astype(pixels.dtype.newbyteorder(order))
    layers = [ordered[..., [channel]] for channel in range(channels)] if planes else [ordered]
    pieces = [piece.tobytes() for layer in layers for piece in _pieces(layer, tile)]
    pieces = [zlib.compress(piece) if compressed else piece for piece in pieces]
    places = np.cumsum([8, *map(len, pieces)]).tolist()
    tags = [(256, "H", [width]), (257, "H", [height]), (258, "H", [8 * pixels.itemsize] * channels)]
    tags += [(259, "H", [8 if compressed else 1]), (262, "H", [2 if channels > 2 else 1]), (277, "H", [channels])]
    tags += [(284, "H", [2 if planes else 1]), *([(338, "H", [2])] if channels == 4 else []), *more]
    tags += [(322, "H", [tile]), (323, "H", [tile])] if tile else [(278, "H", [8])]
    where, how_long = (324, 325) if tile else (273, 279)
    tags += [(where, "I", places[:-1]), (how_long, "I", [len(piece) for piece in pieces])]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", places[-1])
    return start + b"".join(pieces) + _tiff_directory(sorted(tags), places[-1], order)


def _pieces(layer, tile):
    height, width, _ = layer.shape
    if not tile:
        return [layer[y : y + 8] for y in range(0, height, 8)]
    whole = np.pad(layer, ((0, -height % tile), (0, -width % tile), (0, 0)))
    return [whole[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]


def _tiff_directory(tags, place, order):
    entries, values = struct.pack(f"{order}H", len(tags)), b""
    for number, letter, numbers in tags:
        value = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(value) > 4:
            at = place + 2 + 12 * len(tags) + 4 + len(values)
            values += value
            value = struct.pack(f"{order}I", at)
        entries += struct.pack(f"{order}HHI", number, {"H": 3, "I": 4}[letter], len(numbers)) + value.ljust(4, b"\0")
    return entries + b"\0\0\0\0" + values


def _big(pixels):
    return pixels.astype(pixels.dtype.newbyteorder(">"))


COLOUR_MODES = ["L", "P", "LA", "PA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]


def pillow_of_mode(grey, mode):
    """Return an image of Pillow that shows a grey one, (H, W) uint8, in one of `COLOUR_MODES`."""
    if mode.startswith("I"):
        return Image.fromarray(grey.astype(np.uint16 if mode == "I;16" else np.int32) * 257)
    image = Image.fromarray(grey)
    for step in {"La": ["LA", "La"], "RGBa": ["RGBA", "RGBa"], "PA": ["LA", "PA"]}.get(mode, [mode]):
        image = image.convert(step)
    return image
