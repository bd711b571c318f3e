"""Runs that several workers share, and that lose one of their processes: all end, or the run is taken up again."""

import contextlib
import os
import random
import re
import signal
import socket
import sys
import time

import pytest

import ocr_lib.mx  # noqa: F401  (there are no such runs without MXNet)
from ocr_lib.files import sha256
from tests.launching import (
    LIMIT_S,
    ROOT,
    all_ended,
    apart,
    begun,
    launched,
    launching,
    process_of,
    started_by,
    training,
    wait_for,
)

TRAIN = ROOT / "lstm_ocr_train.py"
BY_HAND = """
trap 'kill $(jobs -p)' TERM
export DMLC_PS_ROOT_URI=127.0.0.1 DMLC_NODE_HOST=127.0.0.1 DMLC_NUM_WORKER=2 DMLC_NUM_SERVER=1
DMLC_ROLE=scheduler "$1" -m ocr_lib.training.server &
DMLC_ROLE=server "$1" -m ocr_lib.training.server &
DMLC_ROLE=worker "$@" &
DMLC_ROLE=worker "$@" &
wait
"""


def by_hand(*arguments):
    return ["bash", "-c", BY_HAND, "by-hand", sys.executable, TRAIN, "--kv-store", "dist_sync", *arguments]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("role", ["worker", "server", "scheduler"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_all_end_without_a_launcher_too(tmp_path, role, number):
    command = by_hand(*training("--prefix", tmp_path / "ocr", epochs=5000))
    with begun(command, DMLC_PS_ROOT_PORT=free_port(), PYTHONPATH=str(ROOT)) as run:
        wait_for(run, "Saved checkpoint")
        pids = started_by(run.pid)
        lost = process_of(pids, f"DMLC_ROLE={role}")
        theirs = started_by(lost)
        os.kill(lost, number)
        assert all_ended({*pids} - {run.pid, *theirs})
        for pid in theirs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        said = [line for line in run.stderr if "error: " in line]
    assert any("nothing is heard of the scheduler" in line for line in said)
    if role != "scheduler":
        name = "rank [01]" if role == "worker" else "server 0"
        assert told(rf"this scheduler ends: nothing is heard of {name} \(killed, failed, stopped or cut off\)", said)
    if role != "worker":
        assert told("rank 0 of 2 waited in vain for the others", said)
        assert told("rank 1 of 2 waited in vain for the others", said)


def told(pattern, lines):
    return any(re.search(pattern, line) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name, mark", [("server 0", "DMLC_ROLE=server"), ("scheduler", "DMLC_ROLE=scheduler")])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_launcher_ends_all_when_a_server_or_the_scheduler_is_gone(tmp_path, name, mark, number):
    command = launching(["-n", 2], [TRAIN, *training("--prefix", tmp_path / "ocr", epochs=5000)])
    with begun(command) as run:
        wait_for(run, "Saved checkpoint")
        pids = started_by(run.pid)
        os.kill(process_of(pids, mark), number)
        said = run.stderr.read().splitlines()
        assert run.wait(timeout=LIMIT_S) == 1
        assert all_ended(pids, 1)
    if number == signal.SIGKILL:
        assert f"error: {name} was ended by SIGKILL" in said[-1]
    else:
        assert f"nothing is heard of {'the scheduler' if name == 'scheduler' else name}" in said[-1]


@pytest.mark.slow
def test_a_stopped_worker_is_named(tmp_path):
    command = launching(["-n", 2], [TRAIN, *training("--prefix", tmp_path / "ocr", epochs=5000)])
    with begun(command) as run:
        wait_for(run, "Saved checkpoint")
        pids = started_by(run.pid)
        os.kill(process_of(pids, "OCR_RANK=1"), signal.SIGSTOP)
        last = run.stderr.read().splitlines()[-1]
        assert run.wait(timeout=LIMIT_S) == 1
        assert all_ended(pids, 1)
    assert "scheduler ended with exit code 1 (this scheduler ends: nothing is heard of rank 1 (killed" in last


@pytest.mark.slow
def test_a_full_disk_of_the_first_machine_ends_all(tmp_path):
    command = [apart(tmp_path), *training("--prefix", "ocr", epochs=5000)]
    result = launched(["-n", 2], command, cwd=tmp_path, OCR_TEST_ROOM="2000")
    assert result.returncode == 1
    assert "error: worker 0 ended with exit code 1 (" in result.stderr.splitlines()[-1]
    assert "File too large" in result.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_killed_at_any_moment_and_taken_up_again(undisturbed, tmp_path, moment):
    chance = random.Random(moment)
    command = [TRAIN, *training("--prefix", tmp_path / "ocr", "--overwrite")]
    with begun(launching(["-n", 2, "--restarts", 1], command)) as run:
        wait_for(run, "Recipe captcha on")
        mark = chance.choice(["OCR_RANK=0", "OCR_RANK=1", "DMLC_ROLE=server", "DMLC_ROLE=scheduler"])
        time.sleep(1.5 * chance.random())
        os.kill(process_of(started_by(run.pid), mark), signal.SIGKILL)
        said = run.stderr.read()
        assert run.wait(timeout=200) == 0, said
    assert "all is started again" in said
    assert {path.name: sha256(path) for path in tmp_path.glob("*.params")} == undisturbed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The SHA-256 of each epoch's parameters of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = launched(["-n", 2], [TRAIN, *training("--prefix", folder / "ocr")])
    assert result.returncode == 0, result.stderr
    return {path.name: sha256(path) for path in folder.glob("*.params")}
