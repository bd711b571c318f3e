"""What an exported file says of itself, in its metadata. Needs the standard library alone.

The digest is that of the whole file with the digest's own place filled with zeros, so any change or damage shows.
"""

import hashlib
import json
from typing import Dict, NamedTuple, Tuple

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.geometry import Shrinkage
from ocr_lib.preparation import Preparation
from ocr_lib.writing import Writing

FORMAT = "lstm-ocr onnx 2"
_OLD_FORMAT = "ocr-lib onnx 1"
_PREPARED = ("resize", "invert", "rotate", "channels", "frame", "crop", "ground")
_NO_DIGEST = b"0" * 64


class Metadata(NamedTuple):
    """The metadata of a model file.

    Attributes
    ----------
    alphabet : str
        Characters in the order of the classes, behind the blank.
    recipe : str
        JSON.
    precision : {"fp32", "int8", "fixed"}
    license : str
        Of the model.
    """

    alphabet: str
    recipe: str
    precision: str
    license: str

    def as_properties(self) -> Dict[str, str]:
        """Return names and texts, as ONNX stores them; the digest is still to be filled in by `seal`."""
        return {"format": FORMAT, **self._asdict(), "sha256": _NO_DIGEST.decode()}

    @property
    def preparation(self) -> Preparation:
        """What the network wants of an image."""
        recipe = json.loads(self.recipe)
        image = recipe["image"]
        shrinkage = tuple(
            Shrinkage(0 if layer.get("padding", True) else layer["kernel"][0] - 1, layer["pool"][0])
            for layer in recipe["network"]["convolutions"]
        )
        how = {key: image[key] for key in _PREPARED if key in image}
        how["crop"] = tuple(how.get("crop", (0, 0)))
        return Preparation((image["width"], image["height"]), shrinkage, **how)

    @property
    def writing(self) -> Writing:
        """How the texts are written that the network reads."""
        text = json.loads(self.recipe)["text"]
        return Writing(**{key: text[key] for key in Writing._fields if text.get(key)})


def seal(data: bytes) -> bytes:
    """Fill the digest into a model file made with `Metadata.as_properties`."""
    before, _, behind = data.rpartition(_NO_DIGEST)  # the last property of the file's last field
    return before + hashlib.sha256(data).hexdigest().encode() + behind


def read_metadata(properties: Dict[str, str], data: bytes) -> Tuple[Metadata, Alphabet]:
    """Check a model file's metadata.

    Parameters
    ----------
    properties : dict of str to str
        Its metadata.
    data : bytes
        The whole file.

    Raises
    ------
    OCRError
        If the file is another program's, of another format, or changed.
    """
    found = properties.get("format")
    if found not in (FORMAT, _OLD_FORMAT):
        wrong = f"the format is {found!r}, and this version reads {FORMAT!r}" if found else "not a model of ours"
        raise OCRError(f"{wrong}; lstm_ocr_export.py makes one")
    digest = properties.get("sha256", "").encode()
    if hashlib.sha256(data.replace(digest, _NO_DIGEST, 1)).hexdigest().encode() != digest:
        raise OCRError("the file was changed or damaged since it was exported")
    metadata = Metadata(**{name: properties[name] for name in Metadata._fields})
    if found == _OLD_FORMAT and properties["is_original"] == "1":
        metadata = metadata._replace(recipe=_with_original_preparation(metadata.recipe))
    return metadata, Alphabet(metadata.alphabet, metadata.writing)


def _with_original_preparation(recipe: str) -> str:
    """State in a recipe of the first format what that said beside it: images are fed as MXNet's example does."""
    tree = json.loads(recipe)
    tree["image"].update(resize="bilinear", invert="never")
    return json.dumps(tree)
