"""Lists of images and what they say in JSON: an object of names and texts, objects of a list, or one a line."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from ocr_lib.encoding import decode_text
from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.layouts import (
    JSON,
    LEXICON_TITLES,
    LOOKED_AT,
    NAME_TITLES,
    PART_TITLES,
    PARTS,
    TEXT_TITLES,
    Exists,
    Recognised,
    looks_like_image,
)
from ocr_lib.sets.lists import Row

SUFFIXES = (".json", ".jsonl")


def json_rows(path: Path) -> Iterator[Row]:
    """Yield the entries of a list, numbered from 1 on.

    Raises
    ------
    OCRError
        If the file can't be read, or is not JSON.
    """
    for number, (name, entry) in enumerate(_entries(_load(path)), 1):
        yield _row(number, name, entry)


def _load(path: Path) -> Any:
    with naming(path):
        text = decode_text(path.read_bytes())
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise OCRError(f"{path}: not JSON: {error}") from error


def _entries(tree: Any) -> Iterable[Tuple[Any, Any]]:
    """Return names with their texts, or with objects that have them; None for names that are in these."""
    if isinstance(tree, list):
        return [tuple(each) if isinstance(each, list) and len(each) == 2 else (None, each) for each in tree]
    if not isinstance(tree, dict):
        return []
    lists: List[Any] = [each for each in tree.values() if isinstance(each, list)]
    return _entries(lists[0]) if len(lists) == 1 else tree.items()


def _row(number: int, name: Any, entry: Any) -> Row:
    text, part, lexicon = entry, "", []
    if isinstance(entry, dict):
        known = {str(key).lower(): value for key, value in entry.items()}
        name = name or next((known[title] for title in sorted(NAME_TITLES & known.keys())), None) or _only_image(entry)
        instances = known.get("instances")  # as MMOCR has it
        if isinstance(instances, list) and len(instances) == 1 and isinstance(instances[0], dict):
            known.update(instances[0])
        texts = TEXT_TITLES & known.keys()
        text = known[min(texts)] if len(texts) == 1 else None
        part = str(next((known[title] for title in sorted(PART_TITLES & known.keys())), ""))
        lexicon = next((_words(known[title]) for title in sorted(LEXICON_TITLES & known.keys())), [])
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not (isinstance(name, str) and isinstance(text, str)):
        return Row(number, fault="not the name of an image and its text, which is to be in quotes")
    return Row(number, name.strip(), text, PARTS.get(part.lower(), part), lexicon=lexicon)


def _only_image(entry: Dict[str, Any]) -> Optional[str]:
    """Return the name of an image that is called otherwise, if there is but one."""
    names = [value for value in entry.values() if isinstance(value, str) and looks_like_image(value)]
    return names[0] if len(names) == 1 else None


def _words(lexicon: Any) -> List[str]:
    if isinstance(lexicon, str):
        return lexicon.split(",")
    return [word for word in lexicon if isinstance(word, str)] if isinstance(lexicon, list) else []


def recognise_json(path: Path, exists: Exists) -> Optional[Recognised]:
    """Find out whether a file is a list; see `ocr_lib.sets.layouts.recognise`."""
    names = [row.name for row in islice(json_rows(path), LOOKED_AT) if not row.fault]
    if not names:
        return None
    shares = (sum(map(bool, map(test, names))) / len(names) for test in (exists, looks_like_image))
    return Recognised(JSON, *shares)
