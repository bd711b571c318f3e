"""How this program was installed, and so how more of it is. Needs the standard library alone."""

import contextlib
import shlex
from pathlib import Path

from ocr_lib import __version__

DISTRIBUTION = "lstm-ocr"
_PROJECT = Path(__file__).resolve().parents[1]


def how_to_install(extra: str) -> str:
    """Return the command that installs what an extra of ours names.

    A clone that is used in place installs from its own folder: what it lacks is stated there, and the package index
    may have it in another version, or not at all.
    """
    if (_PROJECT / "setup.cfg").is_file():
        return f"pip install --editable {shlex.quote(f'{_shown(_PROJECT)}[{extra}]')}"
    return f"pip install '{DISTRIBUTION}[{extra}]=={__version__}'"


def _shown(folder: Path) -> str:
    with contextlib.suppress(OSError):  # the folder that a program runs in may be gone
        if folder == Path.cwd():
            return "."
    return str(folder)
