"""Data sets of image files: labels in the files' names, or in a list of all."""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Container, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.images.file import IMAGE_SUFFIXES, OTHER_SUFFIXES
from ocr_lib.sets.file_dataset import FileDataset
from ocr_lib.sets.folders import ImageFinder, walk
from ocr_lib.sets.json_lists import json_rows
from ocr_lib.sets.label_files import LABELS, recognise_list
from ocr_lib.sets.labelled import Dataset, name_of
from ocr_lib.sets.layouts import JSON, NAME_TITLES, Layout
from ocr_lib.sets.lists import Box, Row, rows
from ocr_lib.sets.names import scheme_of_pattern, texts_of

logger = logging.getLogger(__name__)

_SUFFIXES = IMAGE_SUFFIXES | OTHER_SUFFIXES  # an image that can't be read is named as such, and not passed over


def read_names(folder: Path, label_pattern: Optional[str] = None) -> Dataset:
    """Read a folder whose images' names have their labels: ``2b827.png``, ``2b827_3.png``, ``0007_2b827.png``.

    Parameters
    ----------
    folder : pathlib.Path
    label_pattern : str, optional
        Regular expression that finds the label, its group ``text``, in the name without its ending. One that has a
        slash is for images in folders within, too: it finds the label in their paths from the folder on. Left out, all
        names together say where it is.

    Raises
    ------
    OCRError
        If they don't say it, or the expression is none.
    """
    dataset = FileDataset(folder)
    within = [place / name for place, names in walk(folder) for name in names if Path(name).suffix.lower() in _SUFFIXES]
    if label_pattern and "/" in label_pattern:
        files = within
    else:
        files = [path for path in image_files(folder, _SUFFIXES) if path.is_file()]
    names = [name_of(os.path.relpath(path, folder)) for path in files]
    stems = [str(Path(name).with_suffix("")) for name in names]
    if label_pattern:
        scheme = scheme_of_pattern(label_pattern)
        texts = list(map(scheme.text_of, stems))
    else:
        scheme, texts = texts_of(stems)
    if texts != stems:
        logger.info("Labels of %s are in the names, %s", folder, scheme.shown(stems, texts))
    for name, text in zip(names, texts):
        if text is None:
            dataset.note(str(folder / name), f"{scheme.name} finds no label")
        else:
            dataset.add(Row(0, name, text))
    if len(within) > len(files):
        told = "%s: %d images in folders within are not read: give such a folder, or --label-pattern with a slash"
        logger.warning(told, folder, len(within) - len(files))
    return dataset


def read_list(path: Path, layout: Optional[Layout] = None, parts: Sequence[str] = ()) -> Dataset:
    """Read a list of image files and their texts.

    Parameters
    ----------
    path : pathlib.Path
        The list. Names of images are relative to its folder.
    layout : Layout, optional
        Found by looking if left out.
    parts : sequence of str
        Of lists that are parted in train, val and test, the first of these that is there is read; all if left out.

    Raises
    ------
    OCRError
        If it is no list, or has none of the parts.
    """
    is_told = layout is None and path.name not in LABELS
    layout = layout or _recognised(path)
    dataset = FileDataset(path.parent, path)
    finder = ImageFinder(path.parent)
    listed: Iterable[Row] = json_rows(path) if layout == JSON else rows(path, layout, finder.find)
    wanted = listed
    if len(layout.columns) > 2 or layout == JSON:
        listed = list(listed)
        wanted = _of_part(path, listed, parts)
    names = take(dataset, wanted, path, finder)
    if path.name in LABELS and wanted is listed:
        for image in image_files(path.parent):
            if name_of(image.name) not in names:
                dataset.note(str(image), f"not in {path.name}")
    if is_told and len(dataset):
        logger.info("Labels are in %s: %s says %r", path, *dataset.item(0))
    return dataset


def take(dataset: FileDataset, wanted: Iterable[Row], path: Path, finder: ImageFinder) -> Container[str]:
    """Take the images of a list's rows in, or note why they can't be used; return the names of those that are there."""
    names: Set[str] = set()
    texts: Dict[Tuple[str, Optional[Box]], str] = {}
    twice = 0
    for row in wanted:
        name = None if row.fault else finder.find(row.name)
        if row.fault:
            dataset.note(f"{path}:{row.line}", row.fault)
            continue
        if name is None:
            if row.line > 1 or row.name.lower() not in NAME_TITLES:
                dataset.note(f"{path}:{row.line}", f"no image {row.name}")
            continue
        names.add(name)
        key = name, row.box
        if key not in texts:
            texts[key] = row.text
            dataset.add(row._replace(name=name))
        elif row.text.split() == texts[key].split():
            twice += dataset.add(row._replace(name=name))
        else:
            dataset.note(f"{path}:{row.line}", f"{name} is listed again, with another text")
    if twice:
        logger.warning("%s: %d lines name an image again, with the same text: these weigh twice", path, twice)
    return names


def _recognised(path: Path) -> Layout:
    recognised = recognise_list(path)
    if recognised is None:
        raise OCRError(f"{path}: no list of images and their texts")
    if recognised.layout.fault:
        raise OCRError(f"{path}: {recognised.layout.fault}")
    return recognised.layout


def _of_part(path: Path, found: List[Row], parts: Sequence[str]) -> List[Row]:
    """Leave out rows of other parts of the data set than the one that is wanted, and tell it."""
    counts = Counter(row.part for row in found if not row.fault)
    told = ", ".join(f"{count} lines of {part or 'no part'}" for part, count in sorted(counts.items()))
    if not any(counts):
        return found
    if not parts:
        logger.info("%s has %s: all are read", path, told)
        return found
    for part in parts:
        if part in counts:
            logger.info("%s has %s: those of %s are read; --split names others", path, told, part)
            return found if len(counts) == 1 else [row for row in found if row.fault or row.part == part]
    raise OCRError(f"{path} has {told}, and none of {parts[0]}: --split says which to read, or all")
