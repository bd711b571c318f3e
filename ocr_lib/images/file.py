"""Image files before they are decoded: of which format, how large, which way up, whether whole.

Decoders see only what is accepted here, by its first bytes; a file's name does not matter.
"""

import re
import struct
import zlib
from typing import Callable, Iterator, NamedTuple, Optional, Tuple

from ocr_lib.errors import OCRError
from ocr_lib.images.orientation import UPRIGHT, first_directory, orientation_of

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_WITH_OPACITY = (4, 6)  # types of colours
# A marker and the length of its segment; in between, compressed data has no 0xff but before 0 and restart markers.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])(..)?", re.DOTALL)
_JPEG_END, _JPEG_SCAN, _JPEG_EXIF = 0xD9, 0xDA, 0xE1
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SCANS = 100  # each takes the time of a whole image to decode, however little it holds
# With the size of the header behind, of which there are few: text may begin with these letters too.
_BMP_START = re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLES = 256, 257, 277
_WEBP_ANIMATION = 0x02
_GIF_EXTENSION, _GIF_FRAME, _GIF_END = b"!,;"
_PNM_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PNM_SIZE = re.compile(rb"P[14]%b(\d{1,9})%b(\d{1,9})[\s#]" % (_PNM_SPACE, _PNM_SPACE))
_PNM_RANGE = re.compile(rb"P[2356]%b(\d{1,9})%b(\d{1,9})%b(\d{1,5})[\s#]" % (_PNM_SPACE, _PNM_SPACE, _PNM_SPACE))


class ImageFile(NamedTuple):
    """What an image file says of itself.

    Attributes
    ----------
    format : str
        As the names of `FORMATS`.
    width, height : int
        In pixels, before it is turned.
    orientation : int
        How the decoded image is to be turned yet, as EXIF has it.
    may_be_transparent : bool
    white : int, optional
        The value that means white, where the file states it.
    frames : int, optional
        How many there are, of a GIF or an animation, which Pillow reads.
    """

    format: str
    width: int
    height: int
    orientation: int = UPRIGHT
    may_be_transparent: bool = False
    white: Optional[int] = None
    frames: Optional[int] = None


class Format(NamedTuple):
    """A format that is accepted.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        Of the files' names, the usual one first.
    start : re.Pattern
        What the first bytes match.
    examine : callable
        Takes the bytes of a file to what it says of itself.
    """

    name: str
    suffixes: Tuple[str, ...]
    start: "re.Pattern[bytes]"
    examine: Callable[[bytes], ImageFile]


def format_of(data: bytes) -> Format:
    """Return the format of an image file.

    Raises
    ------
    OCRError
        If it is none that is accepted, with its name if that is known.
    """
    for accepted in FORMATS:
        if accepted.start.match(data):
            return accepted
    for name, start in _REFUSED.items():
        if start.match(data):
            raise OCRError(f"{name} is not read: save it as PNG or JPEG")
    raise OCRError("no image that OpenCV can read, or a damaged one")


def examine(data: bytes) -> ImageFile:
    """Return what an image file says of itself.

    Raises
    ------
    OCRError
        If it is empty, of a format that is not accepted, cut off or damaged. Not all damage can be seen.
    """
    if not data:
        raise OCRError("the file is empty")
    try:
        file = format_of(data).examine(data)
    except (struct.error, IndexError) as error:
        raise _damaged() from error
    if not file.width or not file.height or file.frames == 0:
        raise _damaged()
    return file


def _damaged() -> OCRError:
    return OCRError("the image is cut off or damaged")


def _png(data: bytes) -> ImageFile:
    kind, width, height, _, colours = struct.unpack_from(">4sIIBB", data, len(_PNG_START) + 4)
    if kind != b"IHDR":
        raise _damaged()
    orientation, may_be_transparent, frames = UPRIGHT, colours in _PNG_WITH_OPACITY, None
    for name, content in _png_chunks(data):
        if name == b"acTL":
            if frames is not None:
                raise _damaged()
            (frames,) = struct.unpack_from(">I", content)
        if name == b"eXIf":
            orientation = orientation_of(content)
        may_be_transparent |= name == b"tRNS"
    return ImageFile("PNG", width, height, orientation, may_be_transparent, frames=frames)


def _png_chunks(data: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Yield names, and the contents of those that are not pixels."""
    view = memoryview(data)
    position, name = len(_PNG_START), b""
    while name != b"IEND":
        end = position + 12 + int.from_bytes(view[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        # Some releases of OpenCV fill what a cut-off image lacks with grey and say nothing.
        if end > len(data) or zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise _damaged()
        yield name, b"" if name == b"IDAT" else data[position + 8 : end - 4]
        position = end


def _jpeg(data: bytes) -> ImageFile:
    width = height = scans = 0
    orientation = UPRIGHT
    for marker, content in _jpeg_segments(data):
        scans += marker == _JPEG_SCAN
        if marker in _JPEG_FRAMES and not width:
            height, width = struct.unpack_from(">HH", content, 1)
        elif marker == _JPEG_EXIF and content.startswith(b"Exif\0\0"):
            orientation = orientation_of(content)
    if scans > _MOST_SCANS:
        raise OCRError(f"a JPEG of more than {_MOST_SCANS} scans: save it as PNG")
    return ImageFile("JPEG", width, height, orientation)


def _jpeg_segments(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """Yield markers and what follows them, up to the image's end.

    Walked from the front: thumbnails inside and videos behind the image have ends of their own.
    """
    position = 2
    while True:
        marker = _JPEG_MARKER.search(data, position)
        if marker is None:
            raise _damaged()
        if marker[1][0] == _JPEG_END:
            return
        position = marker.end(1) + int.from_bytes(marker[2] or b"", "big")
        yield marker[1][0], data[marker.end() : position]


def _bmp(data: bytes) -> ImageFile:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        return ImageFile("BMP", *struct.unpack_from("<HH", data, 18))
    width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return ImageFile("BMP", abs(width), abs(height), may_be_transparent=bits == 32)


def _tiff(data: bytes) -> ImageFile:
    tags = first_directory(data)  # libtiff turns the image itself
    width, height = tags.get(_TIFF_WIDTH, 0), tags.get(_TIFF_HEIGHT, 0)
    return ImageFile("TIFF", width, height, may_be_transparent=tags.get(_TIFF_SAMPLES, 1) > 3)


def _webp(data: bytes) -> ImageFile:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageFile("WebP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)  # 14 of width - 1, as many of height - 1, one of opacity
        return ImageFile("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, UPRIGHT, bool(bits >> 28 & 1))
    if kind != b"VP8X":
        raise _damaged()
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    orientation, frames = UPRIGHT, 0
    for name, content in _webp_chunks(data):
        frames += name == b"ANMF"
        if name == b"EXIF":
            orientation = orientation_of(content)
    is_animated = data[20] & _WEBP_ANIMATION
    return ImageFile("WebP", width, height, orientation, True, frames=frames if is_animated else None)


def _webp_chunks(data: bytes) -> Iterator[Tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size] if name == b"EXIF" else b""
        position += 8 + size + size % 2


def _pnm(data: bytes) -> ImageFile:
    found = _PNM_SIZE.match(data) or _PNM_RANGE.match(data)
    if found is None:
        raise _damaged()
    width, height, *white = map(int, found.groups())
    if white == [0]:
        raise _damaged()
    return ImageFile("PNM", width, height, white=white[0] if white else None)


def _gif(data: bytes) -> ImageFile:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position, frames = 13 + _gif_palette_bytes(flags), 0
    while data[position] != _GIF_END:
        if data[position] == _GIF_FRAME:
            left, top, across, down, flags = struct.unpack_from("<HHHHB", data, position + 1)
            width, height, frames = max(width, left + across), max(height, top + down), frames + 1
            position += 11 + _gif_palette_bytes(flags)
        elif data[position] == _GIF_EXTENSION:
            position += 2
        else:
            raise _damaged()
        while data[position]:  # the length of a block; 0 ends them
            position += 1 + data[position]
        position += 1
    return ImageFile("GIF", width, height, frames=frames)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


FORMATS = (
    Format("PNG", (".png",), re.compile(re.escape(_PNG_START)), _png),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), re.compile(rb"\xff\xd8\xff"), _jpeg),
    Format("BMP", (".bmp", ".dib"), _BMP_START, _bmp),
    Format("TIFF", (".tif", ".tiff"), re.compile(rb"II\*\0|MM\0\*"), _tiff),
    Format("WebP", (".webp",), re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    Format("PNM", (".pnm", ".pbm", ".pgm", ".ppm"), re.compile(rb"P[1-6]\s"), _pnm),
    Format("GIF", (".gif",), re.compile(rb"GIF8[79]a"), _gif),
)
IMAGE_SUFFIXES = frozenset(suffix for accepted in FORMATS for suffix in accepted.suffixes)
OTHER_SUFFIXES = frozenset((".avif", ".heic", ".heif", ".jp2", ".jxl"))  # of photographs, which are not read

# Named, since people have such files and wonder; OpenCV reads some, and dies of damaged ones.
_REFUSED = {
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "JPEG XL": re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"),
    "AVIF or HEIC": re.compile(rb"....ftyp", re.DOTALL),
    "OpenEXR": re.compile(rb"\x76\x2f\x31\x01"),
    "Radiance HDR": re.compile(rb"#\?R"),
    "Sun raster": re.compile(rb"\x59\xa6\x6a\x95"),
    "PAM": re.compile(rb"P7\s"),
    "PFM": re.compile(rb"P[Ff]\s"),
    "BigTIFF": re.compile(rb"II\+\0|MM\0\+"),
    "Photoshop": re.compile(rb"8BPS"),
    "PDF": re.compile(rb"%PDF-"),
    "SVG": re.compile(rb"\s*<(?:\?xml|svg)"),
}
