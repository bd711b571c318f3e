"""What is trained does not depend on the cores that compute it, nor on what happens to them."""

import os
import signal
import subprocess
import sys

import pytest

from tests.integration.runs import begun, command, ended, hashes, new, processes, resumed, run, wait_for
from tests.unmeasured import UNMEASURED

SETTINGS = [("training.parts", 4), ("network.dropout", 0.2), ("training.epochs", 3), ("training.epoch_size", 102)]
BUSY = [sys.executable, "-c", "while True: pass"]


def on(cores, prefix, form=command):
    """Return a run on so many cores, as a command; it has four parts of a batch, the last of which has two."""
    return form(prefix, *(["--cpu", str(cores)] if cores else []), settings=SETTINGS)


@pytest.fixture(scope="module")
def undisturbed(train, tmp_path_factory):
    """The SHA-256 of each epoch's parameters of a run on one core that nothing disturbed."""
    prefix = tmp_path_factory.mktemp("undisturbed") / "ocr"
    result = train(on(1, prefix, new))
    assert result.returncode == 0, result.stderr
    assert " on 1 core, fonts: " in result.stderr
    return hashes(prefix)


@pytest.mark.parametrize("cores", [2, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
def test_any_number_of_cores_trains_the_same(train, undisturbed, tmp_path, cores):
    result = train(on(cores, tmp_path / "ocr", new))
    assert result.returncode == 0, result.stderr
    assert f" on {cores} cores, fonts: " in result.stderr
    assert hashes(tmp_path / "ocr") == undisturbed


@pytest.mark.slow
def test_killed_processes_cost_only_time(undisturbed, tmp_path):
    prefix = tmp_path / "ocr"
    with begun(on(2, prefix)) as process:
        wait_for(process, r"Saved checkpoint .*ocr-0001\.params")
        found = processes(process).computing
        assert len(found) == 2
        os.kill(found[0], signal.SIGKILL)
        assert process.wait(timeout=100) == 0
        assert ended(process), "a process outlived the run"
    assert hashes(prefix) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("first, then", [(2, 1), (1, 4)])
def test_a_run_that_is_killed_goes_on_on_other_cores(undisturbed, tmp_path, first, then):
    prefix = tmp_path / "ocr"
    with begun(on(first, prefix)) as process:
        wait_for(process, r"Saved checkpoint .*ocr-0001\.params")
        process.kill()
        process.wait()
        assert ended(process), "a process outlived the run"
    result = run(resumed(prefix, "--cpu", str(then)))
    assert result.returncode == 0, result.stderr
    assert hashes(prefix) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 2, None])
def test_neighbours_that_keep_every_core_busy_cost_only_time(undisturbed, tmp_path, cores):
    neighbours = [subprocess.Popen(BUSY, env=UNMEASURED) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        result = run(on(cores, tmp_path / "ocr"))
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    assert result.returncode == 0, result.stderr
    assert hashes(tmp_path / "ocr") == undisturbed
