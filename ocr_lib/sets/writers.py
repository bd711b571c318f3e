"""Data sets written: image files as they are, and their texts as a format has them."""

import contextlib
import re
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, Set, Tuple

from ocr_lib.errors import OCRError
from ocr_lib.files import atomic_path
from ocr_lib.images.file import IMAGE_SUFFIXES, format_of
from ocr_lib.sets.beside import GT_SUFFIX
from ocr_lib.sets.folders import is_passed_over
from ocr_lib.sets.label_files import LABELS, LIST
from ocr_lib.sets.labelled import Item, path_of
from ocr_lib.sets.names import PLAIN, texts_of
from ocr_lib.sets.records import pack, record_writer

Sample = Tuple[Item, bytes]

_MOST_BYTES = 255
_MOST_CHARACTERS = 60


def write_dataset(path: Path, name: str, samples: Iterable[Sample]) -> None:
    """Write a data set; it is there, whole, after the last sample, and not at all if an exception is raised.

    Parameters
    ----------
    path : pathlib.Path
        What is not there yet, or an empty folder: of format ``rec`` a file, of all others a folder.
    name : str
        One of `WRITERS`.
    samples : iterable of (Item, bytes)
        Names and texts, and the bytes of image files.

    Raises
    ------
    OCRError
        If it can't be written, or is there already.
    """
    WRITERS[name](path, samples)


def _write_records(path: Path, samples: Iterable[Sample]) -> None:
    if path.suffix != ".rec":
        raise OCRError(f"{path}: let the name of a RecordIO file end in .rec")
    for there in (path, path.with_suffix(".idx")):
        if there.exists():
            raise OCRError(f"{there} is there already: choose another name, or delete it")
    with record_writer(path) as write:
        for number, (item, data) in enumerate(samples):
            write(pack(item.text, data, number))


def _write_folder(write: Callable[[Path, Iterable[Sample]], None], path: Path, samples: Iterable[Sample]) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OCRError(f"{path} is there already: choose another name, or delete it")
    with _atomic_folder(path) as folder:
        write(folder, samples)


@contextlib.contextmanager
def _atomic_folder(path: Path) -> Iterator[Path]:
    with atomic_path(path, sync=False) as folder:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        try:
            folder.mkdir()
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _write_names(folder: Path, samples: Iterable[Sample]) -> None:
    counts: Counter[str] = Counter()
    texts: Dict[str, str] = {}
    for item, data in samples:
        text = item.text
        is_plain = not counts[text] and PLAIN.text_of(text) == text
        name = f"{text}{'' if is_plain else f'_{counts[text]}'}{_suffix(item.name, data)}"
        if "/" in name or is_passed_over(name) or len(name.encode()) > _MOST_BYTES:
            raise OCRError(f"{item.name}: the text {text!r} can't be the name of a file: choose another format")
        counts[text] += 1
        texts[Path(name).stem] = text
        (folder / path_of(name)).write_bytes(data)
    for (stem, text), read in zip(texts.items(), texts_of(list(texts))[1]):
        if read != text:
            raise OCRError(f"the name {stem!r} would not be read as the text {text!r}: choose another format")


def _write_gt(folder: Path, samples: Iterable[Sample]) -> None:
    for name, text in _write_images(folder, samples):
        (folder / path_of(name)).with_suffix(GT_SUFFIX).write_text(f"{text}\n", encoding="utf-8")


def _write_list(name: str, images: str, separator: str, folder: Path, samples: Iterable[Sample]) -> None:
    (folder / images).mkdir(exist_ok=True)
    with (folder / name).open("w", encoding="utf-8") as file:
        for image, text in _write_images(folder / images, samples):
            file.write(f"{Path(images, image)}{separator}{text}\n")


def _write_images(folder: Path, samples: Iterable[Sample]) -> Iterator[Tuple[str, str]]:
    """Write image files under their names, of which folders become a part; yield names and texts."""
    taken: Set[str] = set()
    for item, data in samples:
        suffix = _suffix(item.name, data)
        base = item.name[: -len(suffix)] if item.name.endswith(suffix) else item.name
        base = re.sub(r"[^\w.-]+", "_", base)[-_MOST_CHARACTERS:].lstrip(".") or "_"
        stem, count = base, 0
        while stem in taken:
            count += 1
            stem = f"{base}-{count}"
        taken.add(stem)
        (folder / path_of(f"{stem}{suffix}")).write_bytes(data)
        yield f"{stem}{suffix}", item.text


def _suffix(name: str, data: bytes) -> str:
    suffix = Path(name).suffix
    return suffix if suffix.lower() in IMAGE_SUFFIXES else format_of(data).suffixes[0]


WRITERS: Dict[str, Callable[[Path, Iterable[Sample]], None]] = {
    "names": partial(_write_folder, _write_names),
    "labels": partial(_write_folder, partial(_write_list, LABELS[0], "", "\t")),
    "gt": partial(_write_folder, _write_gt),
    "list": partial(_write_folder, partial(_write_list, LIST, "images", ",")),
    "tab": partial(_write_folder, partial(_write_list, LIST, "images", "\t")),
    "rec": _write_records,
}
