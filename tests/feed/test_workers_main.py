"""What worker processes have of the program that starts them: nothing but their work."""

import subprocess
import sys

import pytest

from tests.feed.work import ENVIRONMENT

WITHOUT_FORK_SERVER = """
import multiprocessing.forkserver
def refuse(fds):
    raise OSError("no fork server")
multiprocessing.forkserver.connect_to_new_process = refuse
"""
SQUARES = """
print("begins", flush=True)
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import make_square
with OrderedPool(make_square, 2) as pool:
    print(*pool.map(range(5)))
"""
WITH_MXNET = """
from ocr_lib.mx import mx
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import make_memory_report
with OrderedPool(make_memory_report, 2) as pool:
    for report in pool.map(range(10)):
        print(*report)
"""
OF_MAIN = """
from functools import partial
from typing import NamedTuple
from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from tests.feed.work import make_square

class Task(NamedTuple):
    number: int

class Maker:
    def make(self):
        return abs

def make():
    return abs

for work in make, partial(make), Maker().make, lambda: abs:
    try:
        OrderedPool(work, 1)
    except OCRError as error:
        print(error)
with OrderedPool(make_square, 1) as pool:
    for task in Task(3), 3:
        try:
            print(*pool.map([task]))
        except OCRError as error:
            print(error)
"""
BOTH = """
import multiprocessing, threading
from functools import partial
from ocr_lib.feed.workers import OrderedPool

def own_work(queue):
    queue.put("own")

def start_workers():
    while not done:
        with OrderedPool(partial(partial, abs), 1):
            pass

if __name__ == "__main__":
    done = False
    thread = threading.Thread(target=start_workers)
    thread.start()
    context = multiprocessing.get_context("spawn")
    for _ in range(4):
        queue = context.SimpleQueue()
        process = context.Process(target=own_work, args=(queue,))
        process.start()
        process.join()
        print(process.exitcode, queue.get() if process.exitcode == 0 else None, flush=True)
    done = True
    thread.join()
"""

methods = pytest.mark.parametrize("before", ["", WITHOUT_FORK_SERVER], ids=["forkserver", "spawn"])


def run(folder, arguments, **options):
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False, **options
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def run_script(folder, text):
    (folder / "script.py").write_text(text)
    return run(folder, ["script.py"])


@methods
@pytest.mark.parametrize("how", ["a script", "a module", "a command", "standard input"])
def test_a_program_needs_no_guard(tmp_path, before, how):
    program = before + SQUARES
    (tmp_path / "script.py").write_text(program)
    arguments = {"a script": ["script.py"], "a module": ["-m", "script"], "a command": ["-c", program]}.get(how, ["-"])
    said = run(tmp_path, arguments, input=program if how == "standard input" else "")
    assert said == "begins\n0 1 4 9 16\n"


@methods
def test_mxnet_is_the_programs_alone(tmp_path, before):
    reports = [line.split() for line in run_script(tmp_path, before + WITH_MXNET).splitlines()]
    assert len(reports) == 10
    for has_mxnet, parent_has_mxnet, megabytes in reports:
        assert has_mxnet == "False"
        assert parent_has_mxnet == str(bool(before))  # a fork server has not; without one the parent is the program
        assert float(megabytes) < 150


def test_work_of_the_main_module_is_refused_by_name(tmp_path):
    *refused, square = run_script(tmp_path, OF_MAIN).splitlines()
    assert [line.partition(" is defined in the program's main module")[0] for line in refused] == [
        "make",
        "make",
        "Maker",
        "<lambda>",
        "Task",
    ]
    assert all(line.endswith("put it into a module of its own") for line in refused)
    assert square == "9"


def test_the_programs_own_processes_have_its_main_module(tmp_path):
    assert run_script(tmp_path, BOTH) == "0 own\n" * 4
