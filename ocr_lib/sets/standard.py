"""The standard sets of scene text as they are distributed: which file of a folder lists its images, and the reading."""

import logging
from pathlib import Path
from typing import Iterable, Optional, Sequence

from ocr_lib.errors import OCRError
from ocr_lib.sets import iam, iiit5k, scene_xml
from ocr_lib.sets.file_dataset import CutDataset, FileDataset
from ocr_lib.sets.folders import ImageFinder
from ocr_lib.sets.labelled import Dataset
from ocr_lib.sets.layouts import PARTS
from ocr_lib.sets.lists import Row
from ocr_lib.sets.readers import take

logger = logging.getLogger(__name__)

IIIT5K, SVT, ICDAR2003, IAM = "iiit5k", "svt", "icdar2003", "iam"
_OF_ROOTS = {scene_xml.SVT: SVT, scene_xml.ICDAR2003: ICDAR2003}
_MOST_LISTS = 20  # of a folder; more are no lists, but annotations of an image each


def format_of_file(path: Path) -> Optional[str]:
    """Return the format of a list, by the ending of its name and what it begins with; None if it is none."""
    if path.suffix.lower() == iiit5k.SUFFIX:
        return IIIT5K
    if path.suffix.lower() == iam.SUFFIX and iam.is_iam(path):
        return IAM
    root = scene_xml.root_of(path) if path.suffix.lower() == scene_xml.SUFFIX else None
    return _OF_ROOTS.get(root or "")


def format_of_folder(folder: Path) -> Optional[str]:
    """Return the format of a folder's lists; None if it has no such list."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (iiit5k.SUFFIX, scene_xml.SUFFIX)]
    paths = paths * (len(paths) <= _MOST_LISTS) + [folder / name for name in iam.NAMES if (folder / name).is_file()]
    formats = map(format_of_file, paths)
    return next(filter(None, formats), None)


def read_iiit5k(path: Path, parts: Sequence[str] = (), lexicon: Optional[str] = None) -> Dataset:
    """Read IIIT 5K-Word's ``traindata.mat`` or ``testdata.mat``, or that of a folder which is for one of the parts.

    Parameters
    ----------
    path : pathlib.Path
    parts : sequence of str
        The first of these that a folder has a list for is read.
    lexicon : str, optional
        The field with the lexicons that are to be read.

    Raises
    ------
    OCRError
        If there is no such list, several and nothing says which, or it is damaged.
    """
    path = _list_of(path, IIIT5K, parts)
    return _taken(FileDataset(path.parent, path), path, iiit5k.iiit5k_rows(path, lexicon))


def read_svt(path: Path, parts: Sequence[str] = ()) -> Dataset:
    """Read the words of Street View Text's ``train.xml`` or ``test.xml``, cut out of its images; see `read_iiit5k`."""
    path = _list_of(path, SVT, parts)
    return _taken(CutDataset(path.parent, path), path, scene_xml.svt_rows(path))


def read_icdar2003(path: Path, parts: Sequence[str] = ()) -> Dataset:
    """Read ``word.xml`` of ICDAR 2003, robust word recognition; see `read_iiit5k`."""
    path = _list_of(path, ICDAR2003, parts)
    return _taken(FileDataset(path.parent, path), path, scene_xml.icdar2003_rows(path))


def read_iam(path: Path, parts: Sequence[str] = ()) -> Dataset:
    """Read ``lines.txt``, ``sentences.txt`` or ``words.txt`` of the IAM handwriting database; see `read_iiit5k`."""
    path = _list_of(path, IAM, parts)
    return _taken(FileDataset(path.parent, path), path, iam.iam_rows(path))


def _taken(dataset: FileDataset, path: Path, rows: Iterable[Row]) -> Dataset:
    take(dataset, rows, path, ImageFinder(path.parent))
    return dataset


def _list_of(path: Path, name: str, parts: Sequence[str]) -> Path:
    """Return a list, or that of a folder; IIIT5K has lists of characters besides those of words."""
    if not path.is_dir():
        return path
    lists = [each for each in sorted(path.iterdir()) if format_of_file(each) == name]
    lists = [each for each in lists if not each.stem.endswith("CharBound")] or lists
    if not lists:
        raise OCRError(f"{path}: no list of format {name} in this folder")
    named = {_part_of(each): each for each in reversed(lists)}
    if len(lists) == 1 and (not parts or "" in named):
        return lists[0]
    for part in parts:
        if part in named:
            logger.info("Labels are in %s; --split names another part", named[part])
            return named[part]
    told = ", ".join(each.name for each in lists)
    raise OCRError(f"{path} has {told}: give the one to read as the path, or --split")


def _part_of(path: Path) -> str:
    """Return the part of the data set that a list is for by its name; empty if it says none."""
    return next((part for part in set(PARTS.values()) if path.name.lower().startswith(part)), "")
