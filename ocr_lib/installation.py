"""How this program was installed, and so how more of it is. Needs the standard library alone."""

import shlex
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "lstm-ocr"
_PROJECT = Path(__file__).resolve().parents[1]


def how_to_install(extra: str) -> str:
    """Return the command that installs what an extra of ours names.

    A clone that is used in place installs from its own folder: what it lacks is stated there, and the package index
    may have it in another version, or not at all.
    """
    if (_PROJECT / "setup.cfg").is_file():
        return f"pip install --editable {shlex.quote(f'{_shown(_PROJECT)}[{extra}]')}"
    return f"pip install '{DISTRIBUTION}[{extra}]=={metadata.version(DISTRIBUTION)}'"


def _shown(folder: Path) -> str:
    return "." if folder == Path.cwd() else str(folder)
