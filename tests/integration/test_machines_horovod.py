"""Runs that Horovod connects; `make horovod` builds it."""

import os
import signal

import pytest

from ocr_lib.files import sha256
from ocr_lib.mx import mx  # noqa: F401  (prepares what Horovod needs of MXNet)
from tests.launching import ROOT, all_ended, begun, launched, launching, process_of, started_by, training, wait_for

TRAIN = ROOT / "lstm_ocr_train.py"

pytest.importorskip("horovod.mxnet", reason="Horovod is not there: make horovod", exc_type=ImportError)


def hashes(folder):
    return {path.name: sha256(path) for path in folder.glob("*.params")}


@pytest.fixture(scope="module")
def alone(train, tmp_path_factory):
    """The SHA-256 of each epoch's parameters of a run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    assert train(training("--prefix", folder / "ocr")).returncode == 0
    return hashes(folder)


def test_two_workers_train_what_one_process_trains_every_time(alone, tmp_path):
    for name in "a", "b":
        options = ["-n", 2, "--kv-store", "horovod"]
        result = launched(options, [TRAIN, *training("--prefix", tmp_path / name / "ocr")])
        assert result.returncode == 0, result.stderr
        assert hashes(tmp_path / name) == alone


def test_a_worker_that_is_killed_costs_only_time_with_restarts(alone, tmp_path):
    command = [TRAIN, *training("--prefix", tmp_path / "ocr")]
    with begun(launching(["-n", 2, "--kv-store", "horovod", "--restarts", 1], command)) as run:
        wait_for(run, "Saved checkpoint")
        os.kill(process_of(started_by(run.pid), "HOROVOD_RANK=1"), signal.SIGKILL)
        said = run.stderr.read()
        assert run.wait(timeout=100) == 0
        assert "worker 1 was ended by SIGKILL: all others were ended, and all is started again from" in said
    assert hashes(tmp_path) == alone


def test_a_worker_that_is_killed_ends_all(tmp_path):
    command = [TRAIN, *training("--prefix", tmp_path / "ocr", epochs=500)]
    with begun(launching(["-n", 2, "--kv-store", "horovod"], command)) as run:
        wait_for(run, "Saved checkpoint")
        pids = started_by(run.pid)
        os.kill(process_of(pids, "HOROVOD_RANK=1"), signal.SIGKILL)
        assert "worker 1 was ended by SIGKILL" in run.stderr.read()
        assert run.wait(timeout=30) == 1
        assert all_ended(pids, 1)
