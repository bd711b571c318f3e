"""How worker processes end: killed, closed, or with their parent."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import (
    ENVIRONMENT,
    die_at_once,
    die_with_half_an_answer,
    is_alive,
    make_deadly_work,
    make_pid_of,
    make_slow_notes,
    wait_until_gone,
)


@pytest.mark.parametrize("victims", [1, 3])
def test_killed_workers_cost_nothing_but_time(victims):
    with OrderedPool(make_pid_of, 3) as pool:
        results = pool.map(range(200))
        seen = [next(results) for _ in range(50)]
        killed = list({pid for _, pid in seen})[:victims]
        assert len(killed) == victims
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        rest = list(results)
    assert [task for task, _ in seen + rest] == list(range(200))
    assert not {pid for _, pid in rest[-30:]} & set(killed)
    assert len({pid for _, pid in rest[-60:]}) == 3


@pytest.mark.parametrize("die", [die_at_once, die_with_half_an_answer])
@pytest.mark.parametrize("deaths", [1, 4])
def test_a_task_survives_its_worker(tmp_path, die, deaths):
    with OrderedPool(partial(make_deadly_work, tmp_path, deaths, die), 2) as pool:
        assert list(pool.map(range(20))) == list(range(20))
    assert len(list(tmp_path.iterdir())) == deaths


def test_a_fork_server_that_is_killed_is_replaced():
    with OrderedPool(make_pid_of, 2) as pool:
        results = pool.map(range(60))
        pids = {pid for _, pid in (next(results) for _ in range(20))}
        (server,) = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
        for pid in {server} | pids:
            os.kill(pid, signal.SIGKILL)
        rest = list(results)
    assert [task for task, _ in rest] == list(range(20, 60))
    assert rest[-1][1] not in pids


def test_a_task_that_kills_every_worker_is_given_up(tmp_path):
    with OrderedPool(partial(make_deadly_work, tmp_path, 1000, die_at_once), 2) as pool:
        results = pool.map(range(20))
        assert [next(results) for _ in range(5)] == list(range(5))
        with pytest.raises(OCRError, match=r"\d worker processes in a row died .* exit code -9: is the memory full"):
            next(results)
        assert len(list(tmp_path.iterdir())) < 10
        assert list(pool.map([1, 2])) == [1, 2]


@pytest.mark.parametrize("leave", ["at the end", "in mid-stream", "by an exception", "twice"])
def test_closing_leaves_no_process(leave):
    pids = set()
    try:
        with OrderedPool(make_pid_of, 3) as pool:
            for task, pid in pool.map(range(50)):
                pids.add(pid)
                if task == 30 and leave == "in mid-stream":
                    break
                if task == 30 and leave == "by an exception":
                    raise ZeroDivisionError
        if leave == "twice":
            pool.close()
    except ZeroDivisionError:
        pass
    assert len(pids) == 3
    assert not any(map(is_alive, pids))


def test_closing_drops_the_tasks_that_no_worker_has_begun(tmp_path):
    with OrderedPool(partial(make_slow_notes, tmp_path), 1) as pool:
        stream = pool.map(range(10))
        next(stream)
    assert len(list(tmp_path.iterdir())) <= 2


@pytest.fixture
def working_process():
    """Start a process that has 2 workers, in a process group of its own; give it and the workers' ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from tests.feed import work; work.work_on_and_on(2)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
        universal_newlines=True,
    )
    pids = set()
    while len(pids) < 2:
        pids.add(int(process.stdout.readline()))
    yield process, pids
    process.kill()
    process.communicate(timeout=30)


def test_workers_end_with_a_parent_that_is_killed(working_process):
    process, pids = working_process
    process.kill()
    wait_until_gone(pids)


def test_workers_end_with_a_parent_that_is_terminated(working_process):
    process, pids = working_process
    process.terminate()
    wait_until_gone(pids)
    assert "Traceback" not in process.communicate(timeout=30)[1]


def test_ctrl_c_is_the_parents_alone(working_process):
    process, pids = working_process
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.splitlines()[-1] == "stopped"
    assert errors == ""
    assert not any(map(is_alive, pids))
