"""Work for worker processes, and programs that have such processes."""

import gc
import itertools
import os
import signal
import struct
import sys
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from ocr_lib.cv import cv2
from ocr_lib.feed.workers import OrderedPool
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**UNMEASURED, "PYTHONPATH": str(ROOT)}


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


def make_slow_pid_of():
    return slow_pid_of


def slow_pid_of(task):
    time.sleep(0.1)
    return task, os.getpid()


def make_failing_work(error):
    def work(task):
        if task == 7:
            raise error
        return task

    return work


def make_number_or_error():
    return number_or_error


def number_or_error(task):
    """Return the number of a task that is one; of a text make an error."""
    time.sleep(0.001)
    if isinstance(task, str):
        raise ValueError(task)
    return task


def make_last_words(action):
    return partial(act, action)


def act(action, task):
    """Do what a worker had better not."""
    if action == "exit":
        sys.exit("no licence")
    if action == "return a generator":
        return (number for number in range(task))
    if action == "raise what can't be made anew":
        raise TwoArgumentsError("left", "right")
    return None


class TwoArgumentsError(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def make_slow_notes(directory):
    return partial(note_slowly, directory)


def note_slowly(directory, task):
    (directory / str(task)).touch()
    time.sleep(0.1)


def make_nothing(message):
    raise LookupError(message)


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


def make_worker_report():
    return lambda task: (cv2.getNumThreads(), "mxnet" in sys.modules)


def make_memory_report():
    return memory_report


def memory_report(task):
    """Return whether this process and its parent have MXNet's library, and how many megabytes this one takes."""
    maps, parents = (Path(f"/proc/{pid}/maps").read_text() for pid in (os.getpid(), os.getppid()))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return "libmxnet" in maps, "libmxnet" in parents, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def make_niceness():
    return lambda task: os.nice(0)


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
