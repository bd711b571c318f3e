"""Small image files of every kind that is accepted, whose mutants are to be read or refused."""

import io
import struct

import numpy as np
from PIL import Image, ImageCms

from ocr_lib.cv import cv2
from tests.images.encoded_images import bmp, encoded, old_bmp, png_of, tiff, turned

COLOUR = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (24, 61, 4), np.uint8), (0, 0), 1.5)
COLOUR[4:14, 10:40, :3] = 30
RGB, GREY = np.ascontiguousarray(COLOUR[..., :3]), np.ascontiguousarray(COLOUR[..., 0])
HEIGHT, WIDTH = GREY.shape
DEEP = COLOUR.astype(np.uint16) * 257

_GREY, _RGB, _RGBA = Image.fromarray(GREY), Image.fromarray(RGB), Image.fromarray(COLOUR)
_BLACK, _CMYK = _GREY.convert("1"), _RGB.convert("CMYK")
_PALETTE = _RGB.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_GREYS = [bytes((grey, grey, grey, 0)) for grey in range(256)]


def moving(image_format):
    """Return an animation, or pages."""
    with io.BytesIO() as file:
        more = [Image.fromarray(RGB[::-1].copy()), Image.fromarray(255 - RGB)]
        _RGB.save(file, image_format, save_all=True, append_images=more)
        return file.getvalue()


def _still(animated_png):
    """Return an animated PNG without the chunk that says that it is one."""
    at = animated_png.index(b"acTL") - 4
    return animated_png[:at] + animated_png[at + 20 :]


def _pngs():
    plain = [_GREY, _RGB, _RGBA, _RGBA.convert("LA"), _PALETTE, _BLACK]
    yield from (encoded(image, "PNG") for image in plain)
    yield encoded(_PALETTE, "PNG", transparency=b"\0\x80\xff")
    yield encoded(_RGB, "PNG", transparency=(30, 30, 30))
    yield encoded(_PALETTE, "PNG", bits=4)
    yield encoded(_RGB, "PNG", exif=turned(6), icc_profile=_PROFILE, dpi=(72, 72))
    yield encoded(Image.fromarray(DEEP[..., 0]), "PNG")
    yield png_of(DEEP)
    yield png_of(RGB, interlaced=True)
    yield png_of(COLOUR, interlaced=True)
    yield _still(moving("PNG"))


def _jpegs():
    for image in _GREY, _RGB, _CMYK:
        yield encoded(image, "JPEG")
        yield encoded(image, "JPEG", progressive=True)
    yield encoded(_RGB, "JPEG", subsampling=0, quality=95, exif=turned(6))
    yield encoded(_RGB, "JPEG", restart_marker_blocks=2)


def _bmps():
    yield from (encoded(image, "BMP") for image in (_GREY, _RGB, _RGBA, _PALETTE, _BLACK))
    yield old_bmp(RGB)
    wide = np.pad(RGB[::-1] >> 3, ((0, 0), (0, 1), (0, 0))).astype("<u2") @ np.array([1 << 11, 1 << 6, 1], "<u2")
    yield bmp(WIDTH, HEIGHT, 16, wide.astype("<u2").tobytes(), 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    # Runs, and pixels one by one.
    runs = b"".join(b"\x05" + row[:1].tobytes() + b"\0\x38" + row[5:].tobytes() + b"\0\0" for row in GREY[::-1])
    yield bmp(WIDTH, HEIGHT, 8, runs + b"\0\1", 1, palette=b"".join(_GREYS))
    runs = b"".join(bytes([WIDTH, row[0], 0, 0]) for row in GREY[::-1])
    yield bmp(WIDTH, HEIGHT, 4, runs + b"\0\1", 2, palette=b"".join(_GREYS[::17]))


def _tiffs():
    yield from (encoded(image, "TIFF") for image in (_GREY, _RGB, _RGBA, _CMYK, _PALETTE, _BLACK))
    yield from (encoded(_RGB, "TIFF", compression=f"tiff_{name}") for name in ("lzw", "adobe_deflate"))
    yield from (encoded(_RGB, "TIFF", compression=name) for name in ("packbits", "jpeg"))
    yield from (encoded(_BLACK, "TIFF", compression=name) for name in ("group3", "group4"))
    yield moving("TIFF")
    yield tiff(RGB, more=[(0x0112, "H", [6])])
    yield tiff(RGB, tile=32)
    yield tiff(COLOUR, ">", tile=32, compressed=True)
    yield tiff(RGB, planes=True)
    yield tiff(DEEP, tile=32)
    yield tiff(DEEP[..., :1], ">")


def _webps():
    for image in _RGB, _RGBA:
        yield encoded(image, "WEBP")
        yield encoded(image, "WEBP", lossless=True, exif=turned(6))


def _pnms():
    bits = (GREY < 128).astype(int)
    for kind, values, most in (("P1", bits, ""), ("P2", GREY, "255"), ("P3", RGB, "255"), ("P2", GREY // 16, "15")):
        text = " ".join(map(str, values.ravel().tolist()))
        yield f"{kind}\n# by hand\n{WIDTH} {HEIGHT}\n{most}\n{text}\n".encode()
    yield from (encoded(image, "PPM") for image in (_BLACK, _GREY, _RGB))
    yield b"P5 %d %d 65535\n" % (WIDTH, HEIGHT) + DEEP[..., 0].astype(">u2").tobytes()


def _gifs():
    yield from (encoded(image, "GIF") for image in (_GREY, _PALETTE, _RGBA))
    yield encoded(_PALETTE, "GIF", interlace=1)


SEEDS = {
    "PNG": list(_pngs()),
    "JPEG": list(_jpegs()),
    "BMP": list(_bmps()),
    "TIFF": list(_tiffs()),
    "WebP": list(_webps()),
    "PNM": list(_pnms()),
    "GIF": list(_gifs()),
}
"""Of each format of `ocr_lib.images.file`, files that can be read."""

ANIMATIONS = {name: moving(name) for name in ("PNG", "WebP", "GIF")}
