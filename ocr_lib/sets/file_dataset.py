"""Data sets of image files in a folder."""

from array import array
from pathlib import Path
from typing import Optional

from ocr_lib.errors import OCRError
from ocr_lib.sets.labelled import Dataset, Item, Strings, clean_label, path_of


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

    def add(self, name: str, text: str, line: int = 0) -> bool:
        """Take an image in, or note why it can't be used; returns whether it can."""
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
            return True
        return False

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
