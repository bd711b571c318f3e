"""Models by name. Needs the standard library alone."""

from difflib import get_close_matches
from pathlib import Path
from typing import List, Union

from ocr_lib.errors import OCRError

FOLDER = Path(__file__).parent
SUFFIX = ".onnx"
_NEARLY = 0.8


def model_names() -> List[str]:
    """Names of the models that come with this package."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def is_model(name: Union[str, Path]) -> bool:
    """Tell whether a name is that of a model, and no checkpoint of the user's has it for a prefix.

    Raises
    ------
    OCRError
        If it is nearly that of a model, and there is no such checkpoint.
    """
    if Path(f"{name}-symbol.json").exists():
        return False
    known = model_names()
    if str(name) not in known and get_close_matches(str(name), known, cutoff=_NEARLY):
        raise OCRError(f"{name}: no such checkpoint, nor one of the models {', '.join(known)}")
    return str(name) in known


def model_path(name: Union[str, Path]) -> Path:
    """Return where an exported model lies: at that path, or, if there is no such file, in this folder under that name.

    Raises
    ------
    OCRError
        If it is neither, unless the path ends as those of exported models do.
    """
    path = Path(name)
    if path.exists() or path.suffix == SUFFIX:
        return path
    known = model_names()
    if str(name) not in known:
        raise OCRError(f"{name}: no such file, nor one of the models {', '.join(known)}")
    return FOLDER / f"{name}{SUFFIX}"
