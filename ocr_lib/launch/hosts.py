"""Where the processes of a run are started: on this machine, or on the hosts of a file."""

import contextlib
import re
import socket
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from ocr_lib.errors import OCRError, naming

HERE = "localhost"
LOOPBACK = "127.0.0.1"
_LINE = re.compile(r"(?P<name>[\w.:@-]+)(?:\s+slots\s*=\s*(?P<slots>\d+))?", re.ASCII)


class Host(NamedTuple):
    """A machine.

    Attributes
    ----------
    name : str
        As ssh takes it; `HERE` is this machine, without ssh.
    address : str
        That the others reach it by.
    slots : int
        Workers that it takes.
    """

    name: str
    address: str
    slots: int


def this_machine(slots: int) -> List[Host]:
    """Return this machine alone, which nobody need reach from outside."""
    return [Host(HERE, LOOPBACK, slots)]


def read_hosts(path: Path) -> List[Host]:
    """Read a file of ``host [slots=N]``, one a line; ``#`` begins a comment.

    Raises
    ------
    OCRError
        Naming the line, or the host that is unknown.
    """
    named: List[Tuple[str, int]] = []
    with naming(path):
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            match = _LINE.fullmatch(entry)
            if not match or entry.startswith("-") or match["slots"] == "0":
                raise OCRError(f"line {number} is not `host` or `host slots=N`: {entry}")
            named.append((match["name"], int(match["slots"] or 1)))
        if not named:
            raise OCRError("there are no hosts in it")
        addresses = [_address(name) for name, _ in named]
    others = [address for address in addresses if not _is_loopback(address)]
    here = _own_address(others[0]) if others else LOOPBACK
    return [
        Host(name, here if _is_loopback(address) and name == HERE else address, slots)
        for (name, slots), address in zip(named, addresses)
    ]


def address_here(hosts: List[Host]) -> str:
    """Return the address by which hosts reach this machine."""
    others = [host.address for host in hosts if not _is_loopback(host.address)]
    return _own_address(others[0]) if others else LOOPBACK


def free_ports(address: str, count: int) -> List[int]:
    """Return ports that nobody listens on just now, in ascending order.

    Raises
    ------
    OCRError
        If the address is not this machine's.
    """
    with contextlib.ExitStack() as stack, naming(address):
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((address, 0))
        return sorted(one.getsockname()[1] for one in sockets)


def check_port(address: str, port: int) -> None:
    """Refuse a port that is in use.

    Raises
    ------
    OCRError
        If it is, or is none.
    """
    if not 0 < port < 65536:
        raise OCRError(f"--port {port} is not from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as connections of a run just ended linger
        try:
            probe.bind((address, port))
        except OSError as error:
            raise OCRError(f"port {port} is in use: by another run? Give another --port, or none ({error})") from error


def _address(name: str) -> str:
    host: Optional[str] = name.rpartition("@")[2]
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise OCRError(f"the host {host} is unknown: {getattr(error, 'strerror', None) or error}") from error


def _own_address(other: str) -> str:
    with naming(other), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((other, 9))  # sends nothing, but chooses the way
        return str(probe.getsockname()[0])


def _is_loopback(address: str) -> bool:
    return address.startswith("127.")
