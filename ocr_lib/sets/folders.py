"""Folders as people have them: what systems leave there is passed over, links are followed, names are Unicode's."""

import os
import re
import unicodedata
from pathlib import Path
from typing import Iterator, List, Optional, Set, Tuple

from ocr_lib.sets.labelled import path_of

# A list's paths need not say in which folder beside it the images are, nor how their names end.
_FOLDERS = ("", "imgs/", "images/")
_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".tif")
_SLASHES = re.compile(r"[\\/]+")


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is none of the user's: ``.ipynb_checkpoints``, ``._1.png``, ``__MACOSX``."""
    return name.startswith(".") or name == "__MACOSX"


def walk(folder: Path) -> Iterator[Tuple[Path, List[str]]]:
    """Yield a folder and those within, each once however many links lead to it, with the names of its files, sorted."""
    seen: Set[Tuple[int, int]] = set()
    for directory, folders, files in os.walk(folder, followlinks=True):
        status = Path(directory).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_passed_over(name))
        yield Path(directory), sorted(name for name in files if not is_passed_over(name))


class ImageFinder:
    r"""Finds the image files that a list names.

    A list from another machine has paths from there, ``C:\scans\img\1.png``: as many of their first parts are left out
    as the first image that is found needs, and as many in all other names. Thus an image that is missing is not taken
    for another of its name.

    Parameters
    ----------
    folder : pathlib.Path
        Of the list, from which on its paths count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.fspath(folder)
        self._left_out: Optional[int] = None

    def find(self, name: str) -> Optional[str]:
        """Return the path of an image from the folder on, or None."""
        parts = _SLASHES.split(name) if self._left_out or self._left_out is None else []
        for count in range(len(parts) or 1) if self._left_out is None else (self._left_out,):
            found = self._whole(name) if count == 0 else self._there("/".join(parts[count:]))
            if found:
                self._left_out = count
                return found
        return None

    def _whole(self, name: str) -> Optional[str]:
        return self._there(name) or (self._there(name.replace("\\", "/")) if "\\" in name else None)

    def _there(self, name: str) -> Optional[str]:
        if not name or name.endswith("/"):
            return None
        forms = [name] if name.isascii() else [name, *_normal_forms(name)]
        # Not pathlib: to it a name that is too long is an error, and lists have millions of names.
        for found in (f"{place}{form}{ending}" for form in forms for place in _FOLDERS for ending in _ENDINGS):
            if os.path.isfile(os.path.join(self._folder, path_of(found))):  # noqa: PTH113, PTH118
                return os.path.normpath(found)
        return None


def _normal_forms(name: str) -> List[str]:
    """Return the names under which another system may have stored a file."""
    return [form for form in (unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)) if form != name]
