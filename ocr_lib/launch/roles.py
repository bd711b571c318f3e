"""Which processes a run on several machines has, and what each is told by its environment."""

import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.launch.hosts import Host, free_ports

WORKER = "worker"
_SERVER = "import sys; sys.path.append(sys.argv[1]); from ocr_lib.training.server import main; sys.exit(main())"
_ROOT = Path(__file__).resolve().parents[2]


class Role(NamedTuple):
    """What a process is.

    Attributes
    ----------
    name : str
    host : Host
    command : list of str
    environment : dict of str to str
        Besides what all have.
    slots : int
        How many workers share its host's cores, if it takes ``--cpu``; 0 else.
    """

    name: str
    host: Host
    command: List[str]
    environment: Dict[str, str]
    slots: int = 0


def parameter_server_roles(
    command: List[str], here: Host, workers: List[Host], servers: List[Host], port: int, slots: int
) -> List[Role]:
    """Return the processes of a run that MXNet's parameter servers connect: scheduler, servers, workers."""
    shared = {
        "DMLC_PS_ROOT_URI": here.address,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_WORKER": str(len(workers)),
        "DMLC_NUM_SERVER": str(len(servers)),
    }
    server = [sys.executable, "-c", _SERVER, str(_ROOT)]
    ports = free_ports(here.address, len(workers))
    ranks = sorted(range(len(workers)), key=lambda rank: workers[rank].address, reverse=True)  # as ps-lite counts them
    roles = [Role("scheduler", here, server, {"DMLC_ROLE": "scheduler", "OCR_RANKS": ",".join(map(str, ranks))})]
    for number, host in enumerate(servers):
        roles.append(Role(f"server {number}", host, server, {"DMLC_ROLE": "server"}))
    for rank, host in enumerate(workers):
        own = {"DMLC_ROLE": "worker", "OCR_RANK": str(rank), "PORT": str(ports[rank])}
        roles.append(Role(f"{WORKER} {rank}", host, command, own, slots and workers.count(host)))
    return [
        role._replace(environment={**shared, "DMLC_NODE_HOST": role.host.address, **role.environment}) for role in roles
    ]


def horovod_roles(command: List[str], here: Host, workers: List[Host], port: int, slots: int) -> List[Role]:
    """Return the processes of a run that Horovod connects: workers."""
    roles = []
    for rank, host in enumerate(workers):
        local = workers[:rank].count(host)
        across = [other for other in dict.fromkeys(workers) if workers.count(other) > local]
        numbers = {
            "RANK": rank,
            "SIZE": len(workers),
            "LOCAL_RANK": local,
            "LOCAL_SIZE": workers.count(host),
            "CROSS_RANK": across.index(host),
            "CROSS_SIZE": len(across),
            "HOSTNAME": host.address,
            "GLOO_RENDEZVOUS_ADDR": here.address,
            "GLOO_RENDEZVOUS_PORT": port,
            "CONTROLLER": "gloo",
            "CPU_OPERATIONS": "gloo",
        }
        if len(set(workers)) == 1:
            numbers["GLOO_IFACE"] = "lo"
        environment = {f"HOROVOD_{name}": str(value) for name, value in numbers.items()}
        roles.append(Role(f"{WORKER} {rank}", host, command, environment, slots and workers.count(host)))
    return roles


def serve_horovod(address: str, port: int) -> None:
    """Let Horovod's workers find each other, as long as this program runs.

    Raises
    ------
    OCRError
        If Horovod is not installed.
    """
    try:
        from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer
        from horovod.runner.util.threads import in_thread
    except ImportError as error:
        raise OCRError(
            f"--kv-store horovod: {error}: {how_to_install('horovod')}, as docs/machines.md tells"
        ) from error
    in_thread(RendezvousHTTPServer((address, port), RendezvousHandler, 0).serve_forever)
