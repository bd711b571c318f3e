"""How worker processes begin: how many, and with what."""

import os
import subprocess
import sys
import time

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import (
    ENVIRONMENT,
    is_alive,
    make_niceness,
    make_pid_of,
    make_slow_pid_of,
    make_square,
    make_worker_report,
)


def test_all_workers_take_part():
    with OrderedPool(make_pid_of, 3) as pool:
        assert len({pid for _, pid in pool.map(range(60))} - {os.getpid()}) == 3


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
        program = f"from tests.feed import work; work.print_modules_of_a_worker({preload})"
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
