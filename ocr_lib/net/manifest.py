"""The manifest of a checkpoint prefix: which files belong to it, and what they must hold. No MXNet needed.

Files are named by what follows the prefix (``-0007.params``), so a set of them may be moved or renamed together. They
are never changed once the manifest names them; replacing the manifest is what makes new ones count.
"""

import glob
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

import msgspec

from ocr_lib.errors import OCRError
from ocr_lib.files import TEMPORARY, sha256, write_atomic
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import RECIPE as RECIPE
from ocr_lib.recipe.settings import decode_json, encode_json

FORMAT = "ocr-lib checkpoint 1"
SYMBOL = "-symbol.json"
MANIFEST = "-manifest.json"
_CHECKPOINT = re.compile(r"-(?:(?:symbol|recipe|manifest)\.json|\d{4,}(?:-batch\d+)?\.(?:params|states))")
Epoch = Union[int, str]
_TOLD = 3


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
    return Path(prefix + MANIFEST)


def files_at(prefix: str) -> List[str]:
    """Return which files of checkpoints are at a prefix, ours or MXNet's own, by what follows it, sorted."""
    return sorted(path.name[len(Path(prefix).name) :] for path in _checkpoint_files(prefix, "", ""))


def temporary_files_at(prefix: str) -> List[Path]:
    """Return what a kill has left of files of checkpoints that were being written at a prefix."""
    return list(_checkpoint_files(prefix, *TEMPORARY))


def _checkpoint_files(prefix: str, before: str, behind: str) -> Iterator[Path]:
    stem = Path(prefix)
    start = before + stem.name
    for path in stem.parent.glob(f"{glob.escape(start)}-*{behind}"):
        if _CHECKPOINT.fullmatch(path.name[len(start) : len(path.name) - len(behind)]):
            yield path


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


def check_free_prefix(prefix: str, option: str = "--prefix") -> None:
    """Refuse a prefix at which there is a checkpoint already, whoever made it, or that is no beginning of a file name.

    Parameters
    ----------
    prefix : str
    option : str
        That names the prefix, for messages.

    Raises
    ------
    OCRError
        Naming what is there.
    """
    check_prefix(prefix, option)
    there = files_at(prefix)
    if not there:
        return
    manifest = read_manifest(prefix) if MANIFEST in there else None
    if manifest:
        epochs = max(saved.epoch for saved in manifest.saved)
        what = f"{manifest_path(prefix)} is there, with {epochs} epochs trained"
        ways = "--resume goes on, " if manifest.states and option == "--prefix" else ""
    else:
        what = f"{_listed(prefix, there)} there, a checkpoint without a manifest"
        ways = ""
    raise OCRError(f"{what}: {ways}--overwrite begins anew, another {option} leaves it alone")


def check_prefix(prefix: str, option: str = "--prefix") -> None:
    """Refuse a prefix that is no beginning of a file name."""
    if not Path(prefix).name or prefix.endswith("/") or Path(prefix).is_dir():
        raise OCRError(f"{option} {prefix} is a folder: give the beginning of a file name, as in {Path(prefix, 'ocr')}")


def resumable(prefix: str, option: str = "--prefix") -> Manifest:
    """Return the manifest of the run at a prefix that is to go on.

    Parameters
    ----------
    prefix : str
    option : str
        That names the prefix, for messages.

    Raises
    ------
    OCRError
        If there is none, or none that can be trained.
    """
    check_prefix(prefix, option)
    manifest = read_manifest(prefix)
    if manifest is None:
        way = "" if option == "--prefix" else "; --pretrained-policy retrain takes weights alone"
        raise OCRError(f"{manifest_path(prefix)}: no such file, so there is no run that could go on{way}")
    if not manifest.states:
        raise OCRError(f"{prefix} is of 8 bits, which can't be trained: take the checkpoint that it was made from")
    return manifest


def _listed(prefix: str, suffixes: List[str]) -> str:
    names = [prefix + suffix for suffix in suffixes[:_TOLD]]
    rest = len(suffixes) - len(names)
    told = ", ".join(names) + (f" and {rest} others" if rest else "")
    return f"{told} {'is' if len(suffixes) == 1 else 'are'}"


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
