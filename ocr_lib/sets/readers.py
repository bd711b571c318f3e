"""Data sets of image files: labels in the files' names, in files beside them, or in a list of all."""

import logging
import os
import re
from collections import Counter
from pathlib import Path
from typing import Container, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ocr_lib.encoding import decode_text
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.images.file import IMAGE_SUFFIXES
from ocr_lib.sets.file_dataset import FileDataset
from ocr_lib.sets.folders import ImageFinder, walk
from ocr_lib.sets.json_lists import json_rows
from ocr_lib.sets.label_files import GT_SUFFIX, LABELS, recognise_list
from ocr_lib.sets.labelled import Dataset, name_of
from ocr_lib.sets.layouts import JSON, NAME_TITLES, Layout
from ocr_lib.sets.lists import Box, Row, rows
from ocr_lib.sets.names import find_scheme, scheme_of_pattern

logger = logging.getLogger(__name__)

# OCRopus and its heirs keep an image's binarized, normalised and dewarped forms beside it.
_FORMS = re.compile(r"\.(?:bin|dew|nrm|raw)$")


def read_names(folder: Path, label_pattern: Optional[str] = None) -> Dataset:
    """Read a folder whose images' names have their labels: ``2b827.png``, ``2b827_3.png``, ``0007_2b827.png``.

    Parameters
    ----------
    folder : pathlib.Path
    label_pattern : str, optional
        Regular expression that finds the label, its group ``text``, in the name without its ending. Left out, all names
        together say where it is.

    Raises
    ------
    OCRError
        If they don't say it, or the expression is none.
    """
    dataset = FileDataset(folder)
    files = [path for path in image_files(folder) if path.is_file()]
    names = [name_of(path.name) for path in files]
    stems = [Path(name).stem for name in names]
    scheme = scheme_of_pattern(label_pattern) if label_pattern else find_scheme(stems)
    texts = [scheme.text_of(stem) for stem in stems]
    if texts != stems:
        logger.info("Labels of %s are in the names, %s", folder, scheme.shown(stems))
    for name, text in zip(names, texts):
        if text is None:
            dataset.note(str(folder / name), f"{scheme.name} finds no label")
        else:
            dataset.add(Row(0, name, text))
    return dataset


def read_gt(folder: Path) -> Dataset:
    """Read a folder, and those within, of images each with its text in a file beside it: ``1.png``, ``1.gt.txt``.

    Where no file is called so, texts are in ``1.txt``. Where several forms of an image share one text, the first of
    ``1.png``, ``1.bin.png``, ``1.dew.png``, ``1.nrm.png`` is taken.
    """
    dataset = FileDataset(folder)
    suffix = gt_suffix(folder) or GT_SUFFIX
    for directory, files in walk(folder):
        texts = {name for name in files if name.endswith(suffix)}
        for text, images in sorted(_images_of_texts(files, texts, suffix).items()):
            path = directory / text
            if not images:
                if suffix == GT_SUFFIX:
                    dataset.note(str(path), "no image beside it")
            elif text not in texts:
                dataset.note(str(path.with_name(images[0])), f"no {text} beside it")
            else:
                try:
                    label = _one_line(decode_text(path.read_bytes()))
                except (OCRError, OSError) as error:
                    dataset.note(str(path), error)
                else:
                    name = name_of(os.path.relpath(path.with_name(images[0]), folder))
                    dataset.add(Row(0, name, label))
    return dataset


def gt_suffix(folder: Path) -> Optional[str]:
    """Return how the files end that have the texts of the images beside them; None if most images have none."""
    images = texts = 0
    for _, files in walk(folder):
        if any(name.endswith(GT_SUFFIX) for name in files):
            return GT_SUFFIX
        stems = {Path(name).stem for name in files if name.endswith(".txt")}
        found = [Path(name).stem for name in files if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        images += len(found)
        texts += sum(stem in stems for stem in found)
    return ".txt" if images < 2 * texts else None


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


def _one_line(text: str) -> str:
    """Return a text of one line; the texts of more lines are not those of an image of one."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if len(lines) > 1:
        raise OCRError(f"{len(lines)} lines, and an image has one")
    return "".join(lines)


def _images_of_texts(files: Iterable[str], texts: Iterable[str], suffix: str) -> Dict[str, List[str]]:
    """Group images by the name of their text, whether or not it is there."""
    groups: Dict[str, List[str]] = {text: [] for text in texts}
    for name in sorted(files, key=lambda name: (len(name), name)):
        path = Path(name)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            stem, exact = path.stem, path.stem + suffix
            groups.setdefault(exact if exact in groups else _FORMS.sub("", stem) + suffix, []).append(name)
    return groups
