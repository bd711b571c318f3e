"""Training on two machines that share a run, beside one, at several speeds of the network between them.

A machine is a network namespace with one core of this computer, and a veth pair is the cable, whose either end `tc`
slows down. On each of the two run a worker and a server of MXNet's KVStore, on the first the scheduler too; what makes
samples shares the core as well. The vector of a step is shared out between the servers
(MXNET_KVSTORE_BIGARRAY_BOUND). The one machine is the same command without the others, on one core: the ratio is to
it, and at most 2. Both compute the same batches in the same parts. How much of that the cores of one computer allow,
which share memory and cache, two machines tell that each do the whole run for themselves: the slower one counts. The
slower networks are also tried with gradients of two bits.

The log of lstm_ocr_train.py counts as in benchmarks/train.py: the time for training of all epochs after the first.
Contestants take turns, and the fastest turn of each counts. The preset `text-line` takes lines on disk, for two epochs.
This needs Linux, root, two cores, and iproute2; namespaces and processes are gone afterwards, also after Ctrl-C.

    sudo .venv/bin/python benchmarks/machines.py --train-data LINES --val-data LINES --json > benchmarks-machines.json
"""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

from report import FONTS, ROOT, Row, make_parser, show, train_command
from train import epochs

GIGABITS = (10.0, 1.0, 0.1)
EPOCH_SIZE, VALIDATION = 1600, "--set=training.validation_size=100"
SECONDS, ROUNDS = 60.0, 2
PORTS = count(9100)
SERVER = [sys.executable, "-m", "ocr_lib.training.server"]
UNIT, PACKET = "samples/s", 16_000
BESIDE, COMPRESSED = "1 machine, beside another", "--gradient-compression=2bit"
SPREAD_FROM = "1000"  # numbers, from which on a vector is shared out among servers


class Machine(NamedTuple):
    """A network namespace, called as its end of the cable is, and its core."""

    name: str
    address: str
    core: int

    def command(self, *command: str) -> List[str]:
        """Return what runs a command there."""
        return ["ip", "netns", "exec", self.name, "taskset", "-c", str(self.core), *command]


class Run(NamedTuple):
    """How many samples a second a run was trained on, and how many a batch had on average."""

    speed: float
    batch: float


def cluster(root: str, port: int, workers: int, servers: int) -> Dict[str, str]:
    """Return the environment of all processes of a run."""
    where = {"DMLC_PS_ROOT_URI": root, "DMLC_PS_ROOT_PORT": str(port), "MXNET_KVSTORE_BIGARRAY_BOUND": SPREAD_FROM}
    return {**os.environ, **where, "DMLC_NUM_WORKER": str(workers), "DMLC_NUM_SERVER": str(servers)}


@contextmanager
def running(folder: Path) -> Iterator[Any]:
    """Give a function that starts a process, whose output goes to a file in a folder; all are killed at the end."""
    processes: List[subprocess.Popen] = []

    def start(name: str, command: List[str], environment: Dict[str, str]) -> subprocess.Popen:
        with Path(folder, name).open("w") as output:
            where = {"cwd": ROOT, "env": environment, "start_new_session": True}  # Ctrl-C is for this process alone
            processes.append(subprocess.Popen(command, stdout=output, stderr=output, **where))  # type: ignore[call-overload]
        return processes[-1]

    try:
        yield start
    finally:
        for process in processes:
            with suppress(ProcessLookupError):  # with those that it started
                os.killpg(process.pid, signal.SIGKILL)
        for process in processes:
            process.wait()


def call(*command: str) -> None:
    """Run a command of iproute2."""
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {' '.join(done.stderr.split())}")


@contextmanager
def two_machines() -> Iterator[List[Machine]]:
    """Give two machines with a cable between them."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if os.geteuid() or len(cores) < 2 or not all(map(shutil.which, ("ip", "tc", "taskset"))):
        raise SystemExit("network namespaces need root, two cores, iproute2 and util-linux here")
    names = [f"ocr{os.getpid()}{letter}" for letter in "ab"]
    machines = [Machine(name, f"10.77.0.{k + 1}", cores[k]) for k, name in enumerate(names)]
    try:
        for machine in machines:
            call("ip", "netns", "add", machine.name)
            call("ip", "-n", machine.name, "link", "set", "lo", "up")
        call(*"ip link add {0} netns {0} type veth peer name {1} netns {1}".format(*names).split())
        for machine in machines:
            call("ip", "-n", machine.name, "address", "add", f"{machine.address}/24", "dev", machine.name)
            call("ip", "-n", machine.name, "link", "set", machine.name, "up")
            call(*f"tc -n {machine.name} qdisc add dev {machine.name} root handle 1: htb default 1".split())
        yield machines
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # only to show what was found is left
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def shape(machine: Machine, gigabits: float) -> None:
    """Let a machine send so many Gbit/s, in packets that are small beside what it sends, and none of it at once."""
    on, largest = machine.name, max(PACKET, min(4 * PACKET, round(gigabits * PACKET)))
    call(*f"ip -n {on} link set {on} gso_max_size {largest}".split())
    rate = f"rate {gigabits * 1000:g}mbit burst {PACKET} cburst {PACKET} quantum {4 * PACKET}"
    call(*f"tc -n {on} class replace dev {on} parent 1: classid 1:1 htb {rate}".split())


def run_apart(command: List[str], machines: List[Machine]) -> Run:
    """Train on each machine alone, at the same time; return the slower one's run."""
    with ThreadPoolExecutor(len(machines)) as pool:
        return min(pool.map(lambda machine: run(command, [machine]), machines))


def run(command: List[str], machines: List[Machine]) -> Run:
    """Train on one machine or on two that share the run."""
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as start:
        folder, root, size, alone = Path(name), machines[0], len(machines), len(machines) == 1
        command = [*command, f"--prefix={folder / 'ocr'}", "--cpu=1", f"--kv-store={'local' if alone else 'dist_sync'}"]
        roles = [("worker", rank, machine, command) for rank, machine in enumerate(machines)]
        if not alone:
            roles += [("server", rank, machine, SERVER) for rank, machine in enumerate(machines)]
            roles.append(("scheduler", 0, root, SERVER))
        shared, started = cluster(root.address, next(PORTS), size, size), []
        for role, rank, machine, program in roles:
            own = {"DMLC_ROLE": role, "DMLC_NODE_HOST": machine.address, "OCR_RANK": str(rank)}
            environment = dict(os.environ) if alone else {**shared, **own}
            started.append(start(f"{role} {rank}", machine.command(*program), environment))
        while any(process.poll() is None for process in started) and not any(p.returncode for p in started):
            time.sleep(0.5)
        if any(process.returncode for process in started):
            said = [f"{path.name}: {path.read_text()[-2000:]}" for path in sorted(folder.glob("[sw]* [01]"))]
            raise SystemExit("\n".join([*said, "training failed"]))
        return outcome(folder, (folder / "worker 0").read_text())


def outcome(folder: Path, log: str) -> Run:
    """Return what a run of the prefix ``ocr`` in a folder and its log say."""
    with (folder / "ocr-log" / "curves.csv").open(newline="") as file:
        updates = {int(row["epoch"]): int(row["updates"]) for row in csv.DictReader(file)}
    if len(updates) < 2:
        raise SystemExit("no epoch after the first: give more --seconds")
    samples = json.loads((folder / "ocr-recipe.json").read_text())["training"]["epoch_size"]
    seconds, batch = epochs(log, r"Time cost=([\d.]+)"), samples / updates[0]
    return Run((max(updates.values()) - updates[0]) * batch / sum(seconds[e] for e in updates if e), batch)


def commands(args: argparse.Namespace) -> Dict[str, List[str]]:
    """Return how each preset is trained."""
    budget, sizes = f"--time-budget={args.seconds}", {"training.epoch_size": EPOCH_SIZE}
    runs = {"captcha": train_command(FONTS, Path("ocr"), sizes, "--preset=captcha", budget, VALIDATION)}
    if args.train_data:
        command = [sys.executable, str(ROOT / "lstm_ocr_train.py"), "--preset=text-line", "--epochs=2"]
        data = {"train-data": args.train_data, "val-data": args.val_data}
        runs["text-line"] = command + [f"--{name}={path.resolve()}" for name, path in data.items() if path]
    return runs


def note(found: Dict[str, Run], name: str, run_: Run) -> None:
    """Keep the fastest run of a name."""
    found[name] = max(run_, found.get(name, run_))


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument("--train-data", type=Path, help="lines for the preset text-line, which is left out otherwise")
    parser.add_argument("--val-data", type=Path, help="lines to validate on")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of captchas a turn (default: {SECONDS:g})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each run (default: {ROUNDS})")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    rows: List[Row] = []
    with two_machines() as machines:
        for preset, command in commands(args).items():
            found: Dict[str, Run] = {}
            for _ in range(args.rounds):
                note(found, "1 machine", run(command, machines[:1]))
                note(found, BESIDE, run_apart(command, machines))
                for gigabits in GIGABITS:
                    for machine in machines:
                        shape(machine, gigabits)
                    name = f"2 machines, {gigabits:g} Gbit/s"
                    note(found, name, run(command, machines))
                    if gigabits < GIGABITS[0]:
                        note(found, f"{name}, 2 bits", run([*command, COMPRESSED], machines))
            one = found["1 machine"]
            rows.append(Row(f"{preset}: a batch", one.batch, "samples"))
            rows += [Row(f"{preset}: {name}", each.speed, UNIT, each.speed / one.speed) for name, each in found.items()]
    show(rows, args.json)


if __name__ == "__main__":
    main()
