"""Texts in files beside images, one each: ``1.png`` and ``1.gt.txt``, ``1.txt`` or ``1_label.txt``."""

import os
import re
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Set

from ocr_lib.encoding import decode_text, split_lines
from ocr_lib.errors import OCRError
from ocr_lib.images.file import IMAGE_SUFFIXES
from ocr_lib.sets.file_dataset import FileDataset
from ocr_lib.sets.folders import walk
from ocr_lib.sets.labelled import Dataset, name_of
from ocr_lib.sets.lists import Row

GT_SUFFIX = ".gt.txt"
_PREFIXES = ("gt_", "")
_ENDINGS = (".txt", ".lab")
_LOOKED_AT = 10  # images whose texts say how all are called
# OCRopus and its heirs keep an image's binarized, normalised and dewarped forms beside it.
_FORMS = re.compile(r"\.(?:bin|dew|nrm|raw)$")


class Naming(NamedTuple):
    """What is before and behind the name of an image, without its ending, in that of its text."""

    prefix: str
    suffix: str

    def of(self, stem: str) -> str:
        """Return what the text of an image is called."""
        return f"{self.prefix}{stem}{self.suffix}"


OF_OCROPUS = Naming("", GT_SUFFIX)


class Pair(NamedTuple):
    """A text and its image, either of which may not be there."""

    text: Path
    image: Optional[Path]


def read_gt(folder: Path) -> Dataset:
    """Read a folder, and those within, of images each with its text in a file beside it: ``1.png``, ``1.gt.txt``.

    Where no file is called so, texts are called as most are: ``1.txt``, ``1.png.txt``, ``1_label.txt``, ``gt_1.txt``.
    Where texts are in a folder of their own, images are found by their names. Where several forms of an image share one
    text, the first of ``1.png``, ``1.bin.png``, ``1.dew.png``, ``1.nrm.png`` is taken.
    """
    dataset = FileDataset(folder)
    naming = find_naming(folder) or OF_OCROPUS
    for text, image in pairs(folder, naming):
        if image is None:
            if naming == OF_OCROPUS:
                dataset.note(str(text), "no image beside it")
        elif not text.is_file():
            dataset.note(str(image), f"no {text.name} beside it")
        else:
            try:
                label = _one_line(decode_text(text.read_bytes()))
            except (OCRError, OSError) as error:
                dataset.note(str(text), error)
            else:
                dataset.add(Row(0, name_of(os.path.relpath(image, folder)), label))
    return dataset


def find_naming(folder: Path) -> Optional[Naming]:
    """Return how the texts of images are called, in a folder and those within; None if most images have none."""
    stems: List[str] = []
    texts: Set[str] = set()
    for _, files in walk(folder):
        stems += [Path(name).stem for name in files if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        texts.update(name for name in files if name.endswith(_ENDINGS))
    if any(name.endswith(GT_SUFFIX) for name in texts):
        return OF_OCROPUS
    some = stems[:: 1 + len(stems) // _LOOKED_AT]
    begun = {(prefix, prefix + stem) for prefix in _PREFIXES for stem in some}
    found = {Naming(prefix, name[len(start) :]) for name in texts for prefix, start in begun if name.startswith(start)}
    found = {naming for naming in found if not naming.suffix[0].isalnum()}  # about.txt is not that of a.png
    counts = {naming: sum(naming.of(stem) in texts for stem in stems) for naming in sorted(found)}
    best = max(counts, key=lambda naming: counts[naming], default=None)
    return best if best and len(stems) < 2 * counts[best] else None


def pairs(folder: Path, naming: Naming) -> List[Pair]:
    """Return the images of a folder and of those within, each with the text that is called so, and texts without any.

    An image whose text is not beside it has the only one that is called so in another folder, unless that has an image.
    """
    found: List[Pair] = []
    texts_alone: Dict[str, List[int]] = {}
    images_alone: Dict[str, List[int]] = {}
    for directory, files in walk(folder):
        texts = {name for name in files if name.startswith(naming.prefix) and name.endswith(naming.suffix)}
        for text, images in sorted(_images_of_texts(files, texts, naming).items()):
            if not images:
                texts_alone.setdefault(text, []).append(len(found))
            elif text not in texts:
                images_alone.setdefault(text, []).append(len(found))
            found.append(Pair(directory / text, directory / images[0] if images else None))
    elsewhere = set()
    for name in texts_alone.keys() & images_alone.keys():
        if len(texts_alone[name]) == len(images_alone[name]) == 1:
            there, here = texts_alone[name][0], images_alone[name][0]
            found[here] = found[here]._replace(text=found[there].text)
            elsewhere.add(there)
    return [pair for place, pair in enumerate(found) if place not in elsewhere]


def _one_line(text: str) -> str:
    """Return a text of one line; the texts of more lines are not those of an image of one."""
    lines = [line for line in split_lines(text) if line.strip()]
    if len(lines) > 1:
        raise OCRError(f"{len(lines)} lines, and an image has one")
    return "".join(lines)


def _images_of_texts(files: Iterable[str], texts: Iterable[str], naming: Naming) -> Dict[str, List[str]]:
    """Group images by the name of their text, whether or not it is there."""
    groups: Dict[str, List[str]] = {text: [] for text in texts}
    for name in sorted(files, key=lambda name: (len(name), name)):
        path = Path(name)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            exact = naming.of(path.stem)
            groups.setdefault(exact if exact in groups else naming.of(_FORMS.sub("", path.stem)), []).append(name)
    return groups
