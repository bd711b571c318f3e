"""Data sets on disk: labelled images in any of several formats, found out by looking at them."""

import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.images.file import IMAGE_SUFFIXES
from ocr_lib.sets.beside import read_gt
from ocr_lib.sets.databases import DatabaseDataset, is_database
from ocr_lib.sets.folders import walk
from ocr_lib.sets.label_files import FIRST, LABELS, LIST, TABLES, label_files, recognise_list
from ocr_lib.sets.labelled import Dataset, Item
from ocr_lib.sets.layouts import COMMA, PARTS, SYNTH90K, TAB, Layout, looks_like_image
from ocr_lib.sets.places import has_places, is_list_of_places, read_places
from ocr_lib.sets.readers import read_list, read_names
from ocr_lib.sets.records import RecordDataset
from ocr_lib.sets.standard import (
    IAM,
    ICDAR2003,
    IIIT5K,
    SVT,
    format_of_file,
    format_of_folder,
    read_iam,
    read_icdar2003,
    read_iiit5k,
    read_svt,
)

__all__ = [
    "FORMATS",
    "MAX_PROBLEMS",
    "OWN_LEXICONS",
    "Dataset",
    "Item",
    "check_problems",
    "find_format",
    "open_dataset",
    "parts_of",
    "tell_problems",
]

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 0.05
LMDB, PLACES = "lmdb", "places"
OWN, OWN_MEDIUM = OWN_LEXICONS = ("own", "own-medium")
_IIIT5K_LEXICONS = {OWN: "smallLexi", OWN_MEDIUM: "mediumLexi"}
_TOLD = 5
_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip")


class Options(NamedTuple):
    """What there is to say about how a data set is read; each reader takes what is its own."""

    label_pattern: Optional[str] = None
    parts: Sequence[str] = ()
    alphabet: Optional[str] = None
    lexicon: Optional[str] = None


Read = Callable[[Path, Options], Dataset]


def open_dataset(
    path: Path,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
    label_pattern: Optional[str] = None,
    parts: Sequence[str] = (),
    alphabet: Optional[str] = None,
    lexicon: Optional[str] = None,
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
    label_pattern : str, optional
        Regular expression whose group ``text`` finds the labels in the images' names.
    parts : sequence of str
        The first of these that a list has rows of is read, where a column parts it in train, val and test; all rows if
        left out. So is the folder of that name where a folder has nothing but such.
    alphabet : str, optional
        Characters that class ids in a RecordIO file stand for, in their order.
    lexicon : str, optional
        One of `OWN_LEXICONS`, which images are to have; of IIIT5K the small one or the medium one.

    Raises
    ------
    OCRError
        If there is no such data set, or nothing in it can be used, or too little; if it has no lexicons and these are
        wanted; or if the share is none.
    """
    if not 0 <= max_problems <= 1:
        raise OCRError(f"--max-problems must be from 0 to 1, not {max_problems:g}")
    if lexicon not in (None, *OWN_LEXICONS):
        raise OCRError(f"there are no lexicons {lexicon}: choose from {', '.join(OWN_LEXICONS)}")
    path = Path(path)
    if not path.exists():
        raise OCRError(f"{path}: no such file or folder")
    path = _folder_of_part(path, parts)
    name = format or ("names" if label_pattern else find_format(path))
    if name not in FORMATS:
        raise OCRError(f"there is no format {name}: choose from {', '.join(FORMATS)}")
    if label_pattern and name != "names":
        raise OCRError(f"--label-pattern finds labels in the names of images: it goes with --format names, not {name}")
    if lexicon == OWN_MEDIUM and name != IIIT5K:
        raise OCRError(f"{path} is no list of IIIT5K, which alone has two lexicons of each image: give --lexicon {OWN}")
    dataset = FORMATS[name](path, Options(label_pattern, parts, alphabet, lexicon))
    check_problems(path, len(dataset), dataset.problems, max_problems)
    if lexicon and not any(map(dataset.lexicon, range(len(dataset)))):
        raise OCRError(f"{path}: its images have no lexicons; lists have them in a third column, parted by commas")
    return dataset


def _folder_of_part(path: Path, parts: Sequence[str]) -> Path:
    """Return the folder of the first of some parts, if folders of parts are all that there is."""
    within = path.iterdir() if path.is_dir() and parts else ()
    folders = {PARTS[each.name.lower()]: each for each in within if each.name.lower() in PARTS and each.is_dir()}
    part = next(filter(folders.get, parts), None)
    if part is None or image_files(path) or label_files(path).lists or format_of_folder(path) or _records_of(path):
        return path
    logger.info("%s is read; --split names another part", folders[part])
    return folders[part]


def parts_of(split: Optional[str], *instead: str) -> Sequence[str]:
    """Return the parts of a list to choose from, for `open_dataset`: the one that is named, or any of others."""
    if split is None:
        return instead
    return () if split == "all" else (PARTS.get(split.lower(), split),)


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
        If it looks like none, or like several.
    """
    if is_database(path):
        return LMDB
    if not path.is_dir():
        return _format_of_file(path)
    files = label_files(path)
    listed = files.one(*FIRST)
    if listed:
        return format_of_file(listed) or _format_of_list(listed)
    if files.naming:
        return PLACES if has_places(path, files.naming) else "gt"
    if _records_of(path):
        return "rec"
    standard = format_of_folder(path)
    if standard:
        return standard
    files.check_names()
    if image_files(path):
        return "names"
    raise OCRError(f"{path}: no labelled image in this folder{_with_images(path) or _with_others(path)}")


def _with_images(folder: Path) -> str:
    """Tell in which folders within there are images, if there are."""
    within = (str(place) for place, names in walk(folder) if any(map(looks_like_image, names)) or is_database(place))
    told = ", ".join(islice(within, _TOLD))
    advice = "give the folder or the list that has their labels, or --label-pattern '(?P<text>[^/]+)/[^/]+$' if each "
    return told and f"; there are images in {told}: {advice}folder is called by what its images say"


def _with_others(folder: Path) -> str:
    """Tell how most of its files end, if there are any."""
    endings = Counter(Path(name).suffix for _, names in walk(folder) for name in names)
    ending, count = max(endings.items(), key=lambda item: item[1], default=("", 0))
    if count < 2:
        return ""
    most = f"end in {ending}" if ending else "have no ending"
    return f"; {count} of {sum(endings.values())} files {most}: images end in {', '.join(sorted(IMAGE_SUFFIXES))}"


def _format_of_file(path: Path) -> str:
    if path.suffix.lower() == ".rec":
        return "rec"
    standard = format_of_file(path)
    if standard:
        return standard
    if looks_like_image(path.name):
        raise OCRError(f"{path} is an image: give the folder that it is in, or a list of images and their texts")
    if path.suffix.lower() in _ARCHIVES:
        raise OCRError(f"{path} is an archive: unpack it, and give the folder")
    if path.suffix.lower() in TABLES:
        raise OCRError(f"{path} can't be read: save it as CSV")
    if recognise_list(path):
        return _format_of_list(path)
    raise OCRError(f"{path}: no list of images and their texts; --format says what it is: {', '.join(FORMATS)}")


def _format_of_list(path: Path) -> str:
    return PLACES if is_list_of_places(path) else "labels"


def _list_of(path: Path, *first: str) -> Path:
    """Return a list, or that of a folder, of several the first that is called so."""
    if not path.is_dir():
        return path
    found = label_files(path).one(*first)
    if found is None:
        raise OCRError(f"{path}: no {first[0]}, nor another list of images in this folder")
    return found


def _read_names(path: Path, options: Options) -> Dataset:
    return read_names(_folder(path), options.label_pattern)


def _read_labels(path: Path, options: Options) -> Dataset:
    return read_list(_list_of(path, *FIRST), None, options.parts)


def _read_places(path: Path, options: Options) -> Dataset:
    listed = label_files(path).one(*FIRST) if path.is_dir() else None
    return read_places(listed or path)


def _read_as(layout: Layout) -> Read:
    return lambda path, options: read_list(_list_of(path, LIST, *LABELS), layout)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise OCRError(f"{path}: not a folder")
    return path


def _records_of(folder: Path) -> List[Path]:
    return sorted(folder.glob("*.rec"))


def _read_records(path: Path, options: Options) -> Dataset:
    files = _records_of(path) if path.is_dir() else [path]
    if len(files) != 1:
        raise OCRError(f"{path}: {len(files) or 'no'} .rec files in this folder; name one")
    return RecordDataset(files[0], options.alphabet)


FORMATS: Dict[str, Read] = {
    "names": _read_names,
    "labels": _read_labels,
    "gt": lambda path, options: read_gt(_folder(path)),
    "list": _read_as(COMMA),
    "tab": _read_as(TAB),
    "synth90k": _read_as(SYNTH90K),
    IIIT5K: lambda path, options: read_iiit5k(path, options.parts, _IIIT5K_LEXICONS.get(options.lexicon or "")),
    SVT: lambda path, options: read_svt(path, options.parts),
    ICDAR2003: lambda path, options: read_icdar2003(path, options.parts),
    IAM: lambda path, options: read_iam(path, options.parts),
    PLACES: _read_places,
    "rec": _read_records,
    LMDB: lambda path, options: DatabaseDataset(path),
}
