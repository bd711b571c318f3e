"""Data sets of image files: labels in the files' names, in files beside them, or in a list of all."""

import os
import re
from array import array
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Set

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.images.file import IMAGE_SUFFIXES
from ocr_lib.sets.labelled import Dataset, Item, Strings, clean_label, name_of, path_of
from ocr_lib.sets.lists import Split, rows

LABELS = ("labels.tsv", "labels.csv")
LIST = "list.txt"
GT_SUFFIX = ".gt.txt"
# A list's paths need not say in which folder beside it the images are, nor how their names end.
_FOLDERS = ("", "imgs/", "images/")
_ENDINGS = ("", ".png", ".jpg", ".tif")
_TITLES = frozenset("file file_name filename image name path".split())
_NUMBERED = re.compile(r"(.+?)(?:_[0-9]+)?", re.DOTALL)
# OCRopus and its heirs keep an image's binarized, normalised and dewarped forms beside it.
_FORMS = re.compile(r"\.(?:bin|dew|nrm|raw)$")


class FileDataset(Dataset):
    """Image files of a folder and those within.

    Parameters
    ----------
    folder : pathlib.Path
    listing : pathlib.Path, optional
        The file that lists them.
    """

    def __init__(self, folder: Path, listing: Optional[Path] = None) -> None:
        super().__init__()
        self._folder = folder
        self._listing = listing
        self._names = Strings()
        self._texts = Strings()
        self._lines = array("L")

    def add(self, name: str, text: str, line: int = 0) -> None:
        """Take an image in, or note why it can't be used."""
        try:
            name.encode()
            label = clean_label(text)
        except UnicodeEncodeError:
            self.note(self._place(name, line), "the name is not UTF-8")
        except OCRError as error:
            self.note(self._place(name, line), error)
        else:
            self._names.append(name)
            self._texts.append(label)
            self._lines.append(line)

    def __len__(self) -> int:
        return len(self._names)

    def item(self, index: int) -> Item:
        """Return the path of an image, from the folder on, and its text."""
        return Item(self._names[index], self._texts[index])

    def where(self, index: int) -> str:
        """Return the path of an image, after file and line if it is listed in one."""
        return self._place(self._names[index], self._lines[index])

    def _bytes(self, index: int) -> bytes:
        return (self._folder / path_of(self._names[index])).read_bytes()

    def _place(self, name: str, line: int) -> str:
        return f"{self._listing}:{line}: {name}" if self._listing else str(self._folder / name)


def read_names(folder: Path) -> Dataset:
    """Read a folder whose images are named as they read, maybe with a number: ``2b827.png``, ``2b827_3.png``."""
    dataset = FileDataset(folder)
    for path in image_files(folder):
        if path.is_file():
            name = name_of(path.name)
            dataset.add(name, text_of_name(Path(name).stem))
    return dataset


def text_of_name(stem: str) -> str:
    """Return the text that a name stands for: without ``_3``."""
    match = _NUMBERED.fullmatch(stem)
    return match[1] if match else stem


def read_gt(folder: Path) -> Dataset:
    """Read a folder, and those within, of images each with its text in a file beside it: ``1.png``, ``1.gt.txt``.

    Where several forms of an image share one text, the first of ``1.png``, ``1.bin.png``, ``1.dew.png``,
    ``1.nrm.png`` is taken.
    """
    dataset = FileDataset(folder)
    for directory, folders, files in os.walk(folder):
        folders.sort()
        texts = {name for name in files if name.endswith(GT_SUFFIX)}
        for text, images in sorted(_images_of_texts(files, texts).items()):
            path = Path(directory) / text
            if not images:
                dataset.note(str(path), "no image beside it")
            elif text not in texts:
                dataset.note(str(path.with_name(images[0])), f"no {text} beside it")
            else:
                try:
                    label = path.read_text(encoding="utf-8-sig")
                except (OSError, UnicodeDecodeError) as error:
                    dataset.note(str(path), error)
                else:
                    dataset.add(name_of(os.path.relpath(path.with_name(images[0]), folder)), label)
    return dataset


def read_list(path: Path, split: Optional[Split] = None) -> Dataset:
    """Read a list of image files and their texts.

    Parameters
    ----------
    path : pathlib.Path
        The list. Names of images are relative to its folder.
    split : callable, optional
        Turns a line into name and text, or into None; of ``rows`` if left out.
    """
    dataset = FileDataset(path.parent, path)
    taken: Set[str] = set()
    for row in rows(path, split):
        if row.fault:
            dataset.note(f"{path}:{row.line}", row.fault)
            continue
        name = _find(path.parent, row.name)
        if name is None:
            if row.line > 1 or row.name.lower() not in _TITLES:
                dataset.note(f"{path}:{row.line}", f"no image {row.name}")
        elif name in taken:
            dataset.note(f"{path}:{row.line}", f"{name} is listed again")
        else:
            taken.add(name)
            dataset.add(name, row.text, row.line)
    if path.name in LABELS:
        for image in image_files(path.parent):
            if name_of(image.name) not in taken:
                dataset.note(str(image), f"not in {path.name}")
    return dataset


def _find(folder: Path, name: str) -> Optional[str]:
    """Return the path of an image file that a list names, from the list's folder on."""
    # Not pathlib: to it a name that is too long is an error, and lists have millions of names.
    for found in (f"{place}{name}{ending}" for place in _FOLDERS for ending in _ENDINGS):
        if os.path.isfile(os.path.join(folder, path_of(found))):  # noqa: PTH113, PTH118
            return os.path.normpath(found)
    return None


def _images_of_texts(files: Iterable[str], texts: Iterable[str]) -> Dict[str, List[str]]:
    """Group images by the name of their text, whether or not it is there."""
    groups: Dict[str, List[str]] = {text: [] for text in texts}
    for name in sorted(files, key=lambda name: (len(name), name)):
        path = Path(name)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            stem, exact = path.stem, path.stem + GT_SUFFIX
            groups.setdefault(exact if exact in groups else _FORMS.sub("", stem) + GT_SUFFIX, []).append(name)
    return groups
