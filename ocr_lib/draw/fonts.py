"""Font files: found, and checked before anything is drawn with them."""

from pathlib import Path
from typing import List, Sequence

from fontTools.ttLib import TTFont
from PIL import ImageFont

from ocr_lib.errors import OCRError

SUFFIXES = (".ttf", ".otf")


def find_fonts(path: Path, characters: str, sizes: Sequence[int]) -> List[Path]:
    """Return the font file at `path`, or the font files in that folder by name, all of them usable.

    Parameters
    ----------
    characters : str
        Every font must have a glyph for each, and for the space, which captchas have between characters.
    sizes : sequence of int
        In pixels; every font must load at each.

    Raises
    ------
    OCRError
        Naming the file, if a font is missing, unreadable or lacks a glyph.
    """
    if path.is_dir():
        fonts = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not fonts:
            raise OCRError(f"{path}: no {' or '.join(SUFFIXES)} file in this folder")
    elif path.is_file():
        fonts = [path]
    else:
        raise OCRError(f"{path}: no such font file or folder")
    for font in fonts:
        _check(font, characters, sizes)
    return fonts


def _check(font: Path, characters: str, sizes: Sequence[int]) -> None:
    try:
        with font.open("rb") as file, TTFont(file, lazy=True) as parsed:
            if any(table.offset + table.length > font.stat().st_size for table in parsed.reader.tables.values()):
                raise EOFError("the file is cut off")
            glyphs = parsed.getBestCmap() or {}
        drawn = [ImageFont.truetype(str(font), size) for size in sizes]
        missing = [c for c in f"{characters} " if ord(c) not in glyphs]
        blank = [c for c in characters if not c.isspace() and any(f.getmask(c).getbbox() is None for f in drawn)]
    except Exception as error:  # a damaged font makes fontTools raise whatever its parser stumbles over
        raise OCRError(f"{font}: not a font that can be read ({type(error).__name__}: {error})") from error
    if missing or blank:
        raise OCRError(f"{font}: this font has no glyph for {', '.join(map(repr, missing or blank))}")
