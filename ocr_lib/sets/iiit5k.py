"""IIIT 5K-Word's lists of images, which are files of MATLAB.

An array of structs has for each image its name, ``ImgName``, what it says, ``GroundTruth``, and two lexicons,
``smallLexi`` of 50 words and ``mediumLexi`` of 1,000. The files of characters have ``chars`` in place of the text, and
no lexicons.
"""

from pathlib import Path
from typing import Dict, Iterator, Optional

from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.lists import Row
from ocr_lib.sets.mat import Array, variables

SUFFIX = ".mat"
_NAME = "ImgName"
_TEXTS = ("GroundTruth", "chars")


def iiit5k_rows(path: Path, lexicon: Optional[str] = None) -> Iterator[Row]:
    """Yield the images of a list.

    Parameters
    ----------
    path : pathlib.Path
    lexicon : str, optional
        The field with the lexicons that are to be read; none if left out.

    Raises
    ------
    OCRError
        If the file is no such list, or damaged.
    """
    with naming(path):
        for number, entry in enumerate(_entries(path), 1):
            if lexicon and lexicon not in entry:
                raise OCRError(f"its images have no lexicons: no {lexicon} among {', '.join(entry)}")
            text = next((entry[field].text() for field in _TEXTS if field in entry), "")
            words = list(entry[lexicon].texts()) if lexicon else []
            yield Row(number, entry[_NAME].text().strip(), text, lexicon=words)


def _entries(path: Path) -> Iterator[Dict[str, Array]]:
    found = []
    for array in variables(path.read_bytes()):
        fields = next(array.structs(), {})
        if _NAME in fields and fields.keys() & set(_TEXTS):
            return array.structs()
        found.append(f"{array.name} ({', '.join(fields) or 'no struct'})")
    raise OCRError(
        f"no array of structs with the fields {_NAME} and {_TEXTS[0]}, as IIIT5K has; it has "
        f"{', '.join(found) or 'nothing'}"
    )
