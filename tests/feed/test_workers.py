"""Worker processes: results in order, whatever happens to a worker."""

import gc
import itertools
import os
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.settings import load_preset

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [Path(__file__).parent, ROOT]))}


def make_square():
    return square


def square(number):
    time.sleep(number * 7 % 5 / 500)  # so that later tasks are done before earlier ones
    return number**2


def make_pid_of():
    return pid_of


def pid_of(task):
    time.sleep(0.003)
    return task, os.getpid()


def make_failing_work(error):
    def work(task):
        if task == 7:
            raise error
        return task

    return work


def make_deadly_work(directory, deaths, die):
    """Return work that kills its process in task 5, as often as it is told to."""

    def work(task):
        death = len(list(directory.iterdir()))
        if task == 5 and death < deaths:
            (directory / str(death)).touch()
            die()
        return task

    return work


def die_at_once():
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_half_an_answer():
    (pipe,) = [thing for thing in gc.get_objects() if isinstance(thing, Connection)]
    os.write(pipe.fileno(), struct.pack("!i", 100_000) + bytes(50_000))
    die_at_once()


def make_nothing(message):
    raise LookupError(message)


def make_worker_report():
    return lambda task: (cv2.getNumThreads(), "mxnet" in sys.modules)


def make_niceness():
    return lambda task: os.nice(0)


def make_slow_pid_of():
    return slow_pid_of


def slow_pid_of(task):
    time.sleep(0.1)
    return task, os.getpid()


def print_modules_of_a_worker(preload):
    """Run by a test in a process of its own."""
    with OrderedPool(partial(partial, eval), 1, preload) as pool:  # work that imports nothing itself
        print(*next(pool.map(["sorted(__import__('sys').modules)"])))


def work_on_and_on(num_workers):
    """Run by some tests in a process of its own, until a signal ends it."""
    try:
        with OrderedPool(make_pid_of, num_workers) as pool:
            for _, pid in pool.map(itertools.count()):
                print(pid, flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids):
    for _ in range(1000):
        if not any(map(is_alive, pids)):
            return
        time.sleep(0.01)
    raise AssertionError(f"still there: {[pid for pid in pids if is_alive(pid)]}")


@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_tasks(num_workers):
    with OrderedPool(make_square, num_workers) as pool:
        assert list(pool.map(range(40))) == [number**2 for number in range(40)]
        assert list(pool.map([])) == []
        assert list(pool.map([3])) == [9]


def test_any_number_of_workers_draws_the_same_captchas(font):
    make = partial(CaptchaSource, load_preset("captcha"), [font])
    tasks = [("train", range(start, start + 3)) for start in range(0, 30, 3)]
    expected = [make()(task) for task in tasks]
    for num_workers in 1, 2, 4:
        with OrderedPool(make, num_workers) as pool:
            batches = list(pool.map(tasks))
        assert [batch.texts for batch in batches] == [batch.texts for batch in expected]
        for batch, same in zip(batches, expected):
            np.testing.assert_array_equal(batch.images, same.images)


def test_all_workers_take_part():
    with OrderedPool(make_pid_of, 3) as pool:
        assert len({pid for _, pid in pool.map(range(60))} - {os.getpid()}) == 3


def test_tasks_are_taken_as_results_are_read():
    taken = itertools.count()
    tasks = (next(taken) for _ in itertools.repeat(None))
    with OrderedPool(make_square, 2) as pool:
        results = pool.map(tasks)
        for number in range(30):
            assert next(results) == number**2
        time.sleep(0.1)
        assert 30 < next(taken) <= 30 + 12


def test_a_stream_can_be_left_and_another_begun():
    with OrderedPool(make_square, 2) as pool:
        stream = pool.map(itertools.count())
        assert [next(stream) for _ in range(3)] == [0, 1, 4]
        stream.close()
        assert list(pool.map(range(5))) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(
    "error", [ValueError("seven is odd"), OCRError("Bad.ttf: no font"), FileNotFoundError(2, "gone", "a.png")]
)
def test_an_exception_in_a_worker_reaches_the_caller_as_it_is(error):
    with OrderedPool(partial(make_failing_work, error), 2) as pool:
        results = pool.map(range(20))
        assert [next(results) for _ in range(7)] == list(range(7))
        with pytest.raises(type(error)) as caught:
            next(results)
        assert str(caught.value) == str(error)
        assert "test_workers.py" in str(caught.value.__cause__)  # where it was raised, for --debug
        assert list(pool.map(range(5))) == list(range(5))


def test_an_exception_in_make_work_reaches_the_caller():
    with OrderedPool(partial(make_nothing, "no such font"), 2) as pool:
        for _ in range(2):
            with pytest.raises(LookupError, match="no such font"):
                list(pool.map(range(5)))


def test_a_task_that_cannot_be_sent_reaches_the_caller_as_an_exception():
    with OrderedPool(make_square, 1) as pool:
        with pytest.raises((AttributeError, TypeError), match="pickle"):
            list(pool.map([(number for number in range(3))]))
        assert list(pool.map([2])) == [4]


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


def test_a_task_that_kills_every_worker_is_given_up(tmp_path):
    with OrderedPool(partial(make_deadly_work, tmp_path, 1000, die_at_once), 2) as pool:
        results = pool.map(range(20))
        assert [next(results) for _ in range(5)] == list(range(5))
        with pytest.raises(OCRError, match=r"\d worker processes in a row died .* exit code -9: is the memory full"):
            next(results)
        assert len(list(tmp_path.iterdir())) < 10
        assert list(pool.map([1, 2])) == [1, 2]


def test_a_worker_uses_one_thread_and_no_mxnet():
    with OrderedPool(make_worker_report, 1) as pool:
        assert list(pool.map([0])) == [(1, False)]


@pytest.mark.parametrize("niceness", [0, 3])
def test_workers_give_way_to_others(niceness):
    with OrderedPool(make_niceness, 1, niceness=niceness) as pool:
        assert list(pool.map([0])) == [min(os.nice(0) + niceness, 19)]


def test_modules_are_loaded_before_there_is_work():
    # In processes of their own, as that of the other tests has a fork server already.
    for preload in [], ["wave", "ocr_lib.feed.source"]:
        program = f"import test_workers; test_workers.print_modules_of_a_worker({preload})"
        said = subprocess.check_output([sys.executable, "-c", program], env=ENVIRONMENT, timeout=60).decode()
        assert {"wave", "ocr_lib.feed.source"} & set(said.split()) == set(preload)


def test_workers_are_added_while_results_are_waited_for(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with OrderedPool(make_slow_pid_of) as pool:
        assert pool.num_workers == 1
        pids = []
        for task, pid in pool.map(range(1000)):
            assert task == len(pids)
            pids.append(pid)
            if len(set(pids[-10:])) > 1:
                break
        assert pool.num_workers == 2
        assert len(set(pids[:5])) == 1
        assert [task for task, _ in pool.map(range(8))] == list(range(8))
    assert not any(map(is_alive, pids))


def test_one_worker_is_enough_for_who_is_slower(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with OrderedPool(make_pid_of) as pool:
        pids = set()
        for _, pid in pool.map(range(12)):
            pids.add(pid)
            time.sleep(0.25)
        assert pool.num_workers == 1 and len(pids) == 1


def test_there_are_never_more_workers_than_asked_for(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    with OrderedPool(make_slow_pid_of, 1) as pool:
        assert len({pid for _, pid in pool.map(range(24))}) == 1
        assert pool.num_workers == 1


@pytest.mark.parametrize("num_workers", [0, -1])
def test_there_must_be_a_worker(num_workers):
    with pytest.raises(OCRError, match=f"--num_proc must be at least 1, not {num_workers}"):
        OrderedPool(make_square, num_workers)


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


@pytest.fixture
def working_process():
    """Start a process that has 2 workers, in a process group of its own; give it and the workers' ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import test_workers; test_workers.work_on_and_on(2)"],
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
