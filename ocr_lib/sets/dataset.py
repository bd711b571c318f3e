"""Data sets on disk: labelled images in any of several formats, found out by looking at them."""

import logging
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Callable, Dict, Optional, Sequence

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.sets.labelled import Dataset, Item
from ocr_lib.sets.lists import lines, split_at_comma, split_at_tab, split_synth90k
from ocr_lib.sets.readers import GT_SUFFIX, LABELS, LIST, read_gt, read_list, read_names
from ocr_lib.sets.records import RecordDataset

__all__ = [
    "FORMATS",
    "MAX_PROBLEMS",
    "Dataset",
    "Item",
    "check_problems",
    "find_format",
    "open_dataset",
    "tell_problems",
]

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 0.05
_TOLD = 5
_LOOKED_AT = 100


def open_dataset(
    path: Path,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
) -> Dataset:
    """Open a data set.

    Parameters
    ----------
    path : pathlib.Path
        A file or a folder, as the format has it.
    format : str, optional
        One of `FORMATS`; found out if left out.
    max_problems : float
        The share of entries that may be unusable, from 0 to 1.

    Raises
    ------
    OCRError
        If there is no such data set, or nothing in it can be used, or too little; or if the share is none.
    """
    if not 0 <= max_problems <= 1:
        raise OCRError(f"--max-problems must be from 0 to 1, not {max_problems:g}")
    path = Path(path)
    if not path.exists():
        raise OCRError(f"{path}: no such file or folder")
    name = format or find_format(path)
    if name not in FORMATS:
        raise OCRError(f"there is no format {name}: choose from {', '.join(FORMATS)}")
    dataset = FORMATS[name](path)
    check_problems(path, len(dataset), dataset.problems, max_problems)
    return dataset


def tell_problems(what: str, problems: Sequence[str]) -> None:
    """Log the first few of what could not be used, and how many others there are."""
    for problem in problems[:_TOLD]:
        logger.warning("%s: %s", what, problem)
    if len(problems) > _TOLD:
        logger.warning("%s: %d others", what, len(problems) - _TOLD)


def check_problems(path: Path, usable: int, problems: Sequence[str], max_problems: float) -> None:
    """Refuse a data set of which too little can be used.

    Raises
    ------
    OCRError
        Telling the first few problems.
    """
    told = "; ".join([*problems[:_TOLD], "and so on"] if len(problems) > _TOLD else problems)
    if not usable:
        raise OCRError(f"{path}: no labelled image" + (f": {told}" if told else ""))
    total = usable + len(problems)
    if len(problems) > max_problems * total:
        raise OCRError(
            f"{path}: {len(problems)} of {total} entries can't be used, and --max-problems is {max_problems:g}: {told}"
        )


def find_format(path: Path) -> str:
    """Find out the format of a data set.

    Raises
    ------
    OCRError
        If it looks like none.
    """
    if not path.is_dir():
        return _format_of_file(path)
    if any((path / name).is_file() for name in LABELS):
        return "labels"
    if (path / LIST).is_file():
        return _format_of_file(path / LIST)
    if next(path.rglob(f"*{GT_SUFFIX}"), None):
        return "gt"
    if next(path.glob("*.rec"), None):
        return "rec"
    if image_files(path):
        return "names"
    raise OCRError(f"{path}: no labelled image in this folder")


def _format_of_file(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".rec":
        return "rec"
    if suffix in (".csv", ".tsv"):
        return "labels"
    for _, line in islice(lines(path), _LOOKED_AT):
        if "\t" in line and "," not in line.partition("\t")[0]:
            return "tab"
        if "," in line:
            return "list"
        if split_synth90k(line):
            return "synth90k"
    raise OCRError(f"{path}: no list of images and their texts; --format says what it is: {', '.join(FORMATS)}")


def _in_folder(path: Path, name: str) -> Path:
    if not path.is_dir():
        return path
    if not (path / name).is_file():
        raise OCRError(f"{path}: no {name} in this folder")
    return path / name


def _folder(read: Callable[[Path], Dataset], path: Path) -> Dataset:
    if not path.is_dir():
        raise OCRError(f"{path}: not a folder")
    return read(path)


def _labels(path: Path) -> Dataset:
    return read_list(_in_folder(path, next((name for name in LABELS if (path / name).is_file()), LABELS[0])))


def _records(path: Path) -> Dataset:
    files = sorted(path.glob("*.rec")) if path.is_dir() else [path]
    if len(files) != 1:
        raise OCRError(f"{path}: {len(files) or 'no'} .rec files in this folder; name one")
    return RecordDataset(files[0])


FORMATS: Dict[str, Callable[[Path], Dataset]] = {
    "names": partial(_folder, read_names),
    "labels": _labels,
    "gt": partial(_folder, read_gt),
    "list": lambda path: read_list(_in_folder(path, LIST), split_at_comma),
    "tab": lambda path: read_list(_in_folder(path, LIST), split_at_tab),
    "synth90k": lambda path: read_list(_in_folder(path, LIST), split_synth90k),
    "rec": _records,
}
