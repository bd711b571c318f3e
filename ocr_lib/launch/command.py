"""The command that the workers of a run carry out, and how it is changed for them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

from ocr_lib.errors import OCRError
from ocr_lib.launch.hosts import HERE, Host
from ocr_lib.launch.process import remote
from ocr_lib.net.manifest import manifest_path
from ocr_lib.training.exchange import KV_STORES

DISTRIBUTED = KV_STORES[2:]
_KV_STORE, _RESUME = "--kv-store", "--resume"
# What a run begins with is settled once it has begun; the number of values that each takes.
_ONLY_AT_FIRST = {"--overwrite": 0, "--preset": 1, "--pretrained": 1, "--pretrained-policy": 1, "--alphabet-change": 1}
_SSH_S = 30


def executable(command: List[str]) -> List[str]:
    """Return a command with the paths of what it runs: a script of Python, or a program.

    Raises
    ------
    OCRError
        If there is none.
    """
    name = command[0]
    if name.endswith(".py"):
        for script in Path(name), Path(sys.argv[0]).parent / name:
            if script.is_file():
                return [sys.executable, str(script.resolve()), *command[1:]]
    program = shutil.which(name)
    if program is None:
        raise OCRError(f"{name}: there is no such command to start")
    return [program, *command[1:]]


def with_kv_store(command: List[str], kv_store: Optional[str]) -> List[str]:
    """Return a command that says what connects its machines: what it says itself, or else what is given.

    Raises
    ------
    OCRError
        If the two differ, or it is not for several machines.
    """
    own = option(command, _KV_STORE)
    if own is None:
        return [*command, _KV_STORE, kv_store or DISTRIBUTED[0]]
    if own not in DISTRIBUTED or kv_store not in (None, own):
        raise OCRError(
            f"{_KV_STORE} {own} in the command is not {kv_store or 'for several machines'}: leave it out there"
        )
    return command


def option(command: List[str], name: str) -> Optional[str]:
    """Return the value that a command gives an option last, if it does."""
    value = None
    for argument, following in zip(command, [*command[1:], None]):
        if argument == name:
            value = following
        elif argument.startswith(f"{name}="):
            value = argument.partition("=")[2]
    return value


def resuming(command: List[str]) -> List[str]:
    """Return the command that goes on with the run that a command began."""
    kept = []
    arguments = iter(command)
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if name not in _ONLY_AT_FIRST:
            kept.append(argument)
        elif _ONLY_AT_FIRST[name] and not equals:
            next(arguments, None)
    return kept if _RESUME in kept else [*kept, _RESUME]


def manifest(command: List[str], host: Host) -> bytes:
    """Return what the manifest of a command's run holds on a host, nothing where there is none.

    A run has begun once it has another than before.
    """
    path = manifest_path(option(command, "--prefix") or "ocr")
    if host.name == HERE:
        return path.read_bytes() if path.is_file() else b""
    try:
        shown = subprocess.run(
            remote(host, ["cat", str(path)], {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SSH_S,
            check=False,
        )
    except OSError as error:
        raise OCRError(f"ssh can't be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        return b""
    return shown.stdout if shown.returncode == 0 else b""
