"""Our name in a captcha's file, by which the next captcha may replace it, as no other file may be."""

import struct
import zlib
from pathlib import Path

_SIGNATURE = b"captcha by lstm-ocr"
_JPEG_START = b"\xff\xd8"
_JPEG_COMMENT = b"\xff\xfe" + struct.pack(">H", 2 + len(_SIGNATURE)) + _SIGNATURE


def _png_chunk(content: bytes) -> bytes:
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


_PNG_END = _png_chunk(b"IEND")
_PNG_TEXT = _png_chunk(b"tEXtSoftware\0" + _SIGNATURE)


def signed(image: bytes) -> bytes:
    """Put the signature into a JPEG's comment, or a PNG's text; other formats stay as they are."""
    if image.startswith(_JPEG_START):
        return _JPEG_START + _JPEG_COMMENT + image[len(_JPEG_START) :]
    if image.endswith(_PNG_END):
        return image[: -len(_PNG_END)] + _PNG_TEXT + _PNG_END
    return image


def is_signed(path: Path) -> bool:
    """Tell whether a file is as `signed` leaves it; what another program has changed is that program's."""
    data = path.read_bytes() if path.is_file() else b""
    return data.startswith(_JPEG_START + _JPEG_COMMENT) or data.endswith(_PNG_TEXT + _PNG_END)
