"""Lists of words in photographs that are XML: Street View Text's, and those of ICDAR 2003.

``<tagset>`` (SVT; ICDAR 2003 to locate words) has whole images, each with the rectangles of its words and, in SVT, a
lexicon. ``<imagelist>`` (ICDAR 2003 to recognize words) has images that are cut out already.
"""

from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional
from xml.parsers import expat

from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.lists import Box, Row

SUFFIX = ".xml"
SVT, ICDAR2003 = "tagset", "imagelist"
_PEEK = 4096
_MOST_PIXELS = 2**31


class _Element(NamedTuple):
    name: str
    attributes: Dict[str, str]
    line: int
    text: List[str]
    children: List["_Element"]

    def all(self, name: str) -> List["_Element"]:
        return [child for child in self.children if child.name == name]

    def said(self, name: str) -> str:
        """Return the text of the first child of a name; empty if there is none."""
        return next(("".join(child.text).strip() for child in self.all(name)), "")


def root_of(path: Path) -> Optional[str]:
    """Return the name of an XML file's outermost element; None if it is no XML."""
    found: List[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append(name)
    try:
        with path.open("rb") as file:
            parser.Parse(file.read(_PEEK), False)
    except (expat.ExpatError, OSError):
        pass
    return found[0] if found else None


def svt_rows(path: Path) -> Iterator[Row]:
    """Yield the words of images; raises an `OCRError` if the file is no such list."""
    for image in _parse(path, SVT).all("image"):
        name, lexicon = image.said("imageName"), image.said("lex").split(",")
        for group in image.all("taggedRectangles"):
            for word in group.all("taggedRectangle"):
                box = _box(word.attributes)
                if box is None:
                    yield Row(word.line, fault=f"a word of {name} whose rectangle is not x, y, width and height")
                else:
                    yield Row(word.line, name, word.said("tag"), lexicon=lexicon, box=box)


def icdar2003_rows(path: Path) -> Iterator[Row]:
    """Yield the images; raises an `OCRError` if the file is no such list."""
    for image in _parse(path, ICDAR2003).all("image"):
        yield Row(image.line, image.attributes.get("file", ""), image.attributes.get("tag", ""))


def _box(attributes: Dict[str, str]) -> Optional[Box]:
    try:
        box = Box(*(round(float(attributes[side])) for side in Box._fields))
    except (KeyError, ValueError, OverflowError):
        return None
    return box if min(box[2:]) > 0 and max(map(abs, box)) < _MOST_PIXELS else None


def _parse(path: Path, root: str) -> _Element:
    """Return the outermost element of a file."""
    stack = [_Element("", {}, 0, [], [])]
    parser = expat.ParserCreate()

    def start(name: str, attributes: Dict[str, str]) -> None:
        element = _Element(name, attributes, parser.CurrentLineNumber, [], [])
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def write(text: str) -> None:
        stack[-1].text.append(text)

    def refuse(name: str, *_: object) -> None:  # a few of them may stand for gigabytes
        raise OCRError(f"line {parser.CurrentLineNumber} declares the entity {name}: write out what it stands for")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = write, refuse
    with naming(path):
        try:
            parser.Parse(path.read_bytes(), True)
        except expat.ExpatError as error:
            raise OCRError(f"damaged, or no XML: {error}") from error
        found = stack[0].children[0]
        if found.name != root:
            raise OCRError(f"XML of <{found.name}>, where <{root}> is expected")
    return found
