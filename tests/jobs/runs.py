"""Short training runs of the toy task as a function, and what they leave."""

import ocr_lib.mx  # noqa: F401  (what imports this module is skipped where there is no MXNet)
from ocr_lib import train
from ocr_lib.files import sha256
from tests.toy import FONT, toy_recipe

SHORT = [("training.epoch_size", 64), ("training.validation_size", 20), ("training.epochs", 2)]


def short_recipe(*settings):
    return toy_recipe(*SHORT, *settings)


def train_short(prefix, *settings, **options):
    """Train on captchas, and on one core, which takes no other process, unless it is said otherwise."""
    options.setdefault("cpus", 1)
    if "train_data" not in options:
        options.setdefault("fonts", FONT)
    if not options.get("resume"):
        options.setdefault("recipe", short_recipe(*settings))
    return train(str(prefix), num_proc=1, quiet=True, **options)


def state_of(folder):
    """Return all that is in a folder, with the SHA-256 of files."""
    return {
        str(path.relative_to(folder)): sha256(path) if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def params_of(folder):
    return {path.name: sha256(path) for path in folder.glob("*.params")}
