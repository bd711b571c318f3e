"""The manifest of a checkpoint prefix: which files belong to it, and what they must hold. No MXNet needed.

Files are named by what follows the prefix (``-0007.params``), so a set of them may be moved or renamed together. They
are never changed once the manifest names them; replacing the manifest is what makes new ones count.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import msgspec

from ocr_lib.errors import OCRError
from ocr_lib.files import sha256, write_atomic
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json, encode_json

FORMAT = "ocr-lib checkpoint 1"
SYMBOL = "-symbol.json"
RECIPE = "-recipe.json"
Epoch = Union[int, str]


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One set of parameters.

    Attributes
    ----------
    params : str
        File, by what follows the prefix.
    epoch, batch : int
        Whole epochs behind it, and batches of the next.
    metrics : dict
        Figures of its validation; empty if there was none.
    """

    params: str
    epoch: int
    batch: int = 0
    metrics: Dict[str, float] = {}


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prefix holds.

    Attributes
    ----------
    files : dict of str to str
        SHA-256 of each file, by what follows the prefix; two, with a space between, while it is being replaced.
    saved : list of Saved
        Oldest first.
    best, last : str
        Parameter files of `saved`.
    states : str
        Optimizer states of `last`; empty where there are none, as after quantizing.
    progress : dict
        What else resuming needs.
    """

    format: str
    files: Dict[str, str]
    saved: List[Saved]
    best: str
    last: str
    states: str
    progress: Dict[str, Any]

    def find(self, epoch: Epoch, prefix: str) -> Saved:
        """Return the parameters of an epoch's number, of ``"best"`` or of ``"last"``.

        Raises
        ------
        OCRError
            If there are none, naming those that there are.
        """
        if isinstance(epoch, str):
            wanted = {"best": self.best, "last": self.last}[epoch]
            for saved in self.saved:
                if saved.params == wanted:
                    return saved
            raise OCRError(f"{manifest_path(prefix)}: {epoch} is {wanted}, which is not among those saved")
        for saved in self.saved:
            if saved.epoch == epoch and not saved.batch:
                return saved
        known = ", ".join(str(saved.epoch) for saved in self.saved if not saved.batch)
        raise OCRError(f"{prefix} has no epoch {epoch}; it has {known or 'no whole epoch yet, but --epoch last'}")


def manifest_path(prefix: str) -> Path:
    """Where the manifest of a prefix lies."""
    return Path(f"{prefix}-manifest.json")


def read_manifest(prefix: str) -> Optional[Manifest]:
    """Return the manifest of a prefix, or None if it has none.

    Raises
    ------
    OCRError
        If there is one and it can't be read.
    """
    path = manifest_path(prefix)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OCRError(f"{path}: {error.strerror or error}") from error
    manifest = decode_json(data, Manifest, str(path))
    if manifest.format != FORMAT:
        raise OCRError(f"{path}: the format is {manifest.format!r}, and this version reads {FORMAT!r}")
    return manifest


def claim(prefix: str, resume: bool, overwrite: bool) -> Optional[Manifest]:
    """Return the manifest of the run to resume or to overwrite, or None if the prefix is free.

    Raises
    ------
    OCRError
        If there is a run and neither was asked for, or none to resume, or the prefix is no beginning of a file name.
    """
    if not Path(prefix).name or prefix.endswith("/") or Path(prefix).is_dir():
        raise OCRError(f"--prefix {prefix} is a folder: give the beginning of a file name, as in {Path(prefix, 'ocr')}")
    manifest = read_manifest(prefix)
    if manifest and not (resume or overwrite):
        epochs = max(saved.epoch for saved in manifest.saved)
        raise OCRError(
            f"{manifest_path(prefix)} is there, with {epochs} epochs trained: --resume goes on, --overwrite begins "
            "anew, another --prefix leaves it alone"
        )
    if resume and manifest is None:
        raise OCRError(f"{manifest_path(prefix)}: nothing to resume; leave --resume out to begin")
    if resume and manifest and not manifest.states:
        raise OCRError(f"{prefix} is of 8 bits, which can't be trained: resume what it was made from")
    return manifest


def read_recipe(prefix: str, manifest: Optional[Manifest]) -> Recipe:
    """Read the recipe of a checkpoint."""
    path = verified(prefix, RECIPE, manifest)
    return decode_json(path.read_bytes(), Recipe, str(path))


def write_manifest(prefix: str, manifest: Manifest) -> None:
    """Replace the manifest of a prefix."""
    write_atomic(manifest_path(prefix), encode_json(manifest))


def verified(prefix: str, suffix: str, manifest: Optional[Manifest]) -> Path:
    """Return the path of a checkpoint's file, once it is there and is what the manifest says.

    Raises
    ------
    OCRError
        Naming the file, if it is missing or not what was saved.
    """
    path = Path(prefix + suffix)
    if not path.is_file():
        raise OCRError(f"{path}: this file of the checkpoint is missing")
    if manifest and sha256(path) not in manifest.files.get(suffix, "").split():
        raise OCRError(f"{path}: the file is not what {manifest_path(prefix)} says was saved: cut off or changed")
    return path
