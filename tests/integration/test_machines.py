"""Runs that several workers share, from start to end."""

import os
import re
import signal
import socket
import struct
from functools import lru_cache
from pathlib import Path

import pytest

import ocr_lib.mx  # noqa: F401  (there are no such runs without MXNet)
from ocr_lib.files import sha256
from ocr_lib.net.manifest import read_manifest
from tests.launching import (
    EPOCHS,
    ROOT,
    all_ended,
    apart,
    begun,
    launched,
    launching,
    lines_of,
    process_of,
    started_by,
    training,
    wait_for,
)
from tests.toy import FONT

TRAIN = ROOT / "lstm_ocr_train.py"
LISTENS = "0A"


def hashes(folder):
    return {path.name: sha256(path) for path in Path(folder).glob("*.params")}


@pytest.fixture(scope="module")
def alone(train, tmp_path_factory):
    """Return a function that gives the SHA-256 of each epoch's parameters of a run of one process.

    Batches have so many parts; the run is new, or was resumed for another epoch.
    """
    folder = tmp_path_factory.mktemp("alone")

    @lru_cache(maxsize=None)
    def alone(parts, resumed=False):
        if resumed:
            alone(parts)
        more = ["--resume", "--epochs", EPOCHS + 1] if resumed else []
        result = train(training("--prefix", folder / f"{parts}" / "ocr", *more, parts=parts))
        assert result.returncode == 0, result.stderr
        return hashes(folder / f"{parts}")

    return alone


def listening(pids):
    """Return the addresses that processes listen on."""
    sockets = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.exists() or link.is_symlink():
                sockets.update(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [line[1].split(":")[0] for line in lines if line[3] == LISTENS and line[9] in sockets]
    return {socket.inet_ntoa(struct.pack("<I", int(address, 16))) for address in found}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of a finished run of two workers, which have folders of their own in it, and what it said."""
    folder = tmp_path_factory.mktemp("together")
    return folder, launched(["-n", 2], [apart(folder), *training("--prefix", "ocr")], cwd=folder)


def test_two_workers_train_what_one_process_trains(together, alone):
    folder, result = together
    assert result.returncode == 0, result.stderr
    assert hashes(folder / "0") == alone(2)
    assert any("Saved checkpoint" in line for line in lines_of(result, "worker 0"))
    assert all(line.startswith(("[worker ", "[server ", "[scheduler] ")) for line in result.stderr.splitlines())


@pytest.mark.slow
def test_the_first_alone_writes_and_needs_the_files_to_go_on(together, alone):
    folder, _ = together
    assert not list((folder / "1").iterdir())
    more = training("--prefix", "ocr", "--resume", "--epochs", EPOCHS + 1)
    result = launched(["-n", 2], [apart(folder), *more], cwd=folder)
    assert result.returncode == 0, result.stderr
    assert hashes(folder / "0") == alone(2, resumed=True)
    assert not list((folder / "1").iterdir())


@pytest.mark.slow
def test_a_killed_worker_costs_only_time_with_restarts(alone, tmp_path):
    command = launching(["-n", 2, "--restarts", 1], [TRAIN, *training("--prefix", tmp_path / "ocr", "--overwrite")])
    with begun(command) as run:
        wait_for(run, r"Saved checkpoint .*ocr-0001\.params")
        os.kill(process_of(started_by(run.pid), "OCR_RANK=1"), signal.SIGKILL)
        (line,) = (line for line in run.stderr if "worker 1 was ended by SIGKILL" in line)
        assert "started again from its last checkpoint" in line
        assert run.wait(timeout=100) == 0
    assert hashes(tmp_path) == alone(2)


@pytest.mark.slow
def test_gradients_in_two_bits_train_as_well_and_the_same_after_a_kill(together, tmp_path):
    options = ["--gradient-compression", "2bit", "--overwrite"]
    runs = {name: training("--prefix", tmp_path / name / "ocr", *options) for name in "ab"}
    undisturbed = launched(["-n", 2], [TRAIN, *runs["a"]])
    assert undisturbed.returncode == 0, undisturbed.stderr
    with begun(launching(["-n", 2, "--restarts", 1], [TRAIN, *runs["b"]])) as run:
        wait_for(run, r"Saved checkpoint .*ocr-0001\.params")
        os.kill(process_of(started_by(run.pid), "OCR_RANK=0"), signal.SIGKILL)
        assert run.wait(timeout=100) == 0
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    whole = read_manifest(str(together[0] / "0" / "ocr"))
    packed = read_manifest(str(tmp_path / "a" / "ocr"))
    assert packed.saved[-1].metrics["cer"] < whole.saved[-1].metrics["cer"] + 0.1


def test_ctrl_c_stops_all_with_a_checkpoint_and_only_loopback_is_listened_on(tmp_path):
    command = launching(["-n", 2], [TRAIN, *training("--prefix", tmp_path / "ocr", epochs=500)])
    with begun(command) as run:
        wait_for(run, r"\[worker 0\] .*Saved checkpoint")
        pids = started_by(run.pid)
        assert listening(pids) == {"127.0.0.1"}
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
        assert run.wait(timeout=60) == 128 + signal.SIGINT
        assert said.count("Stopped by SIGINT") == 1 + 1
        assert "Traceback" not in said
        assert all_ended(pids, 1)
    assert read_manifest(str(tmp_path / "ocr")).saved


@pytest.mark.slow
def test_other_samples_are_told_by_both(tmp_path):
    command = training("--prefix", "ocr", "@1", FONT.with_name("Lato-Black.ttf"))
    command.remove(str(FONT))
    result = launched(["-n", 2], [apart(tmp_path), *command, "@0", FONT, "@"], cwd=tmp_path)
    assert result.returncode == 1
    for name in "worker 0", "worker 1":
        assert "on rank 1 other samples lie there than on rank 0" in lines_of(result, name)[-1]
    assert not list((tmp_path / "0").iterdir())


@pytest.mark.slow
def test_too_few_parts_are_refused(tmp_path):
    result = launched(["-n", 2], [TRAIN, *training("--prefix", tmp_path / "ocr", parts=1)])
    assert result.returncode == 1
    assert "training.parts is 1: too few to share them among 2 machines" in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_three_workers_train_the_same_every_time(alone, tmp_path):
    for name in "a", "b":
        result = launched(["-n", 3, "-s", 2], [TRAIN, *training("--prefix", tmp_path / name / "ocr", parts=3)])
        assert result.returncode == 0, result.stderr
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert list(hashes(tmp_path / "a")) == list(alone(3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--dry-run"], "Dry run: all is ready"),
        (["--time-budget", 4], "The time budget is used up"),
        (["--target-accuracy", 0], "Reached the target accuracy"),
        (["--set", "training.patience=1", "--lr", "1e-9"], "No better validation in 1 epochs"),
    ],
)
def test_all_end_together(tmp_path, arguments, said):
    command = training("--prefix", "ocr", *arguments, epochs=1000)
    result = launched(["-n", 2], [apart(tmp_path), *command], cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert said in result.stderr
    assert bool(list((tmp_path / "0").iterdir())) == (arguments != ["--dry-run"])
    assert not list((tmp_path / "1").iterdir())
