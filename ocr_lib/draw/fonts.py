"""Font files: found, and checked before anything is drawn with them."""

import logging
import re
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from fontTools.ttLib import TTFont
from fontTools.ttLib.sfnt import readTTCHeader
from PIL import Image, ImageDraw, ImageFont

from ocr_lib.errors import OCRError

logger = logging.getLogger(__name__)

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_NO_GLYPH = ".notdef"
_TOLD = 3


class Font(NamedTuple):
    """A font that text is drawn in.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    face : int, optional
        Which font of a collection; None for a file that is no collection.
    instance : int, optional
        Which of the named instances of a variable font; None for the font as it is without a choice.
    """

    path: Path
    face: Optional[int] = None
    instance: Optional[int] = None

    @property
    def name(self) -> str:
        """The file's name, ``#`` and the number of the face in a collection, ``@`` and that of the instance."""
        return self.path.name + self._numbers

    @property
    def stem(self) -> str:
        """The name without the file's suffix."""
        return self.path.stem + self._numbers

    @property
    def _numbers(self) -> str:
        face = "" if self.face is None else f"#{self.face}"
        return face if self.instance is None else f"{face}@{self.instance}"

    def __str__(self) -> str:
        return str(self.path.with_name(self.name))

    def load(self, size: int) -> "ImageFont.FreeTypeFont":
        """Return the font as Pillow draws with it, of a size in pixels."""
        return ImageFont.truetype(str(self.path), size, index=self.face or 0)


def find_fonts(path: Path, characters: str, sizes: Sequence[int]) -> List[Font]:
    """Return the fonts in the file at `path`, or in the files of that folder by name, all of them usable.

    A collection gives all its faces; ``NAME.ttc#1`` is one of them alone. Of a folder, hidden files are passed over,
    such as the ``._NAME.ttf`` that macOS writes beside a font, and fonts that draw characters alike are left out and
    told, if there are others.

    Parameters
    ----------
    characters : str
        Every font must have a glyph for each, and for the space, which captchas have between characters; no two of
        these may look the same, or what is drawn could not be read.
    sizes : sequence of int
        In pixels; every font must load at each.

    Raises
    ------
    OCRError
        Naming the font, if one is missing, unreadable or lacks a glyph, or if all draw characters alike.
    """
    fonts = list(chain.from_iterable(map(faces, font_files(path))))
    alike = {font: _drawn_alike(font, characters, sizes) for font in fonts}
    distinct = [font for font in fonts if not alike[font]]
    for font in fonts:
        if not distinct:
            raise OCRError(f"{font}: {alike[font]}; take another font, or leave such characters out of the alphabet")
        if alike[font]:
            logger.warning("Left out %s: %s", font, alike[font])
    return distinct


def font_files(path: Path, is_deep: bool = False) -> List[Path]:
    """Return the font files at a path, or in that folder, and if `is_deep` in the folders in it.

    Where the path is the name of a face, it is one that only `faces` understands.

    Raises
    ------
    OCRError
        If there is none.
    """
    if path.is_dir():
        within = path.rglob("*") if is_deep else path.iterdir()
        fonts = [p for p in within if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
        if not fonts:
            raise OCRError(f"{path}: no .ttf or .otf file in this folder, nor a collection of such")
        return sorted(fonts)
    file = re.sub(r"#\d+$", "", str(path))
    if not (path.is_file() or Path(file).is_file()):
        raise OCRError(f"{path}: no such font file or folder")
    return [path]


def faces(path: Path) -> List[Font]:
    """Return the fonts in a file, of which a name with ``#`` means one.

    Raises
    ------
    OCRError
        If the file can't be read, or has no such font.
    """
    file, _, number = str(path).rpartition("#")
    if path.exists():
        count = _num_faces(path)
        return [Font(path)] if count is None else [Font(path, face) for face in range(count)]
    count = _num_faces(Path(file)) or 0
    if int(number) >= count:
        raise OCRError(f"{file}: " + (f"this collection has faces #0 to #{count - 1}" if count else "no collection"))
    return [Font(Path(file), int(number))]


def _num_faces(path: Path) -> Optional[int]:
    """Return how many fonts a collection has, or None for another file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"ttcf":
                return None
            file.seek(0)
            return int(readTTCHeader(file).numFonts)
    except Exception as error:
        raise unreadable(path, error) from error


def _drawn_alike(font: Font, characters: str, sizes: Sequence[int]) -> str:
    """Check a font, and tell which characters it draws alike; empty if it draws none so."""
    try:
        with font.path.open("rb") as file, TTFont(file, lazy=True, fontNumber=font.face or 0) as parsed:
            if any(table.offset + table.length > font.path.stat().st_size for table in parsed.reader.tables.values()):
                raise EOFError("the file is cut off")
            glyphs = parsed.getBestCmap() or {}
        drawn = [font.load(size) for size in sizes]
        missing = [c for c in f"{characters} " if glyphs.get(ord(c), _NO_GLYPH) == _NO_GLYPH]
        blank = [c for c in characters if not c.isspace() and any(f.getmask(c).getbbox() is None for f in drawn)]
        groups = [] if missing or blank else _alike(max(drawn, key=attrgetter("size")), characters)
    except Exception as error:  # a damaged font makes fontTools raise whatever its parser stumbles over
        raise unreadable(font, error) from error
    if missing or blank:
        raise OCRError(f"{font}: this font has no glyph for {', '.join(map(repr, missing or blank))}")
    told = ", ".join(" and ".join(map(repr, group)) for group in groups[:_TOLD])
    rest = f" and {len(groups) - _TOLD} others" if len(groups) > _TOLD else ""
    return f"this font draws {told}{rest} alike" if groups else ""


def _alike(font: "ImageFont.FreeTypeFont", characters: str) -> List[List[str]]:
    """Return groups of characters that have the same pixels at the same height."""
    margin = int(font.size)  # for what sticks out of its box
    groups: Dict[object, List[str]] = {}
    for character in dict.fromkeys(characters):
        _, _, width, height = font.getbbox(character)
        page = Image.new("L", (int(width) + 2 * margin, int(height) + 2 * margin))
        ImageDraw.Draw(page).text((margin, margin), character, font=font, fill=255)
        _, top, _, _ = box = page.getbbox() or (0, 0, 1, 1)
        ink = page.crop(box)
        groups.setdefault((top, ink.size, ink.tobytes()), []).append(character)
    return [group for group in groups.values() if len(group) > 1]


def unreadable(font: object, error: Exception) -> OCRError:
    """Return the error of a font that can't be read."""
    return OCRError(f"{font}: not a font that can be read ({type(error).__name__}: {error})")
