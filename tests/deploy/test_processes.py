"""A Predictor in the processes that a server starts: forked after it was loaded, or given it pickled."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ocr_lib.deploy import Predictor
from tests.deploy.models import mark_model
from tests.small_network import draw_marks
from tests.unmeasured import UNMEASURED

COUNT = 200
LIMIT_S = 60
PREAMBLE = f"""
import multiprocessing, os, signal, sys, threading, warnings
import numpy as np
from ocr_lib.alphabet import Alphabet
from ocr_lib.deploy import Predictor
warnings.simplefilter("ignore")  # newer releases of Python warn of forks where there are threads
images = list(np.load(sys.argv[2]))
texts = [f"{{number:03d}}" for number in range({COUNT})]
def check(predictor):
    assert [reading.text for reading in predictor.predict(images)] == texts
"""
FORK = """
def forked(task, *arguments):
    child = os.fork()
    if not child:
        status = 1
        try:
            task(*arguments)
            status = 0
        finally:
            os._exit(status)
    return child
def ended(child):
    return os.waitpid(child, 0)[1]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    (folder / "ocr.onnx").write_bytes(mark_model())
    images = [draw_marks([int(digit) for digit in f"{number:03d}"], 3) for number in range(COUNT)]
    np.save(folder / "images.npy", np.stack(images))
    return folder / "ocr.onnx", folder / "images.npy"


def run(program, files, tmp_path):
    script = tmp_path / "server.py"
    script.write_text(f"{PREAMBLE}\n{program}")
    command = [sys.executable, str(script), *map(str, files)]
    environment = {**UNMEASURED, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, env=environment, **options) as process:
        try:
            _, errors = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children too
            pytest.fail("it hangs")
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("reads_before", [0, 1, 3])
def test_forked_workers_read(files, tmp_path, reads_before):
    program = f"""{FORK}
predictor = Predictor(sys.argv[1], threads=2)
for _ in range({reads_before}):
    check(predictor)
children = [forked(check, predictor) for _ in range(4)]
check(predictor)
assert [ended(child) for child in children] == [0] * 4
check(predictor)
"""
    run(program, files, tmp_path)


def test_a_worker_that_was_killed_is_forked_again(files, tmp_path):
    program = f"""{FORK}
predictor = Predictor(sys.argv[1], threads=2)
check(predictor)
def serve():
    check(predictor)
    signal.pause()
for _ in range(3):
    child = forked(serve)
    os.kill(child, signal.SIGKILL)
    assert ended(child) == signal.SIGKILL
    assert ended(forked(check, predictor)) == 0
def generation():
    check(predictor)
    assert ended(forked(check, predictor)) == 0
assert ended(forked(generation)) == 0
"""
    run(program, files, tmp_path)


def test_a_fork_waits_for_calls_under_way(files, tmp_path):
    program = f"""{FORK}
from ocr_lib.deploy.threads import Calls
calls, lock, held = Calls(), threading.Lock(), threading.Event()
def call():
    with calls, lock:  # as a library has it
        held.set()
        threading.Event().wait(0.5)
def take():
    with calls:
        assert lock.acquire(timeout=5)
for _ in range(3):
    held.clear()
    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    held.wait()
    assert ended(forked(take)) == 0
    for thread in threads:
        thread.join()
take()
"""
    run(program, files, tmp_path)


def test_forks_while_other_threads_read(files, tmp_path):
    program = f"""{FORK}
predictor = Predictor(sys.argv[1], threads=2)
stopped = threading.Event()
def read():
    while not stopped.is_set():
        check(predictor)
threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
statuses = [ended(forked(check, predictor)) for _ in range(10)]
stopped.set()
for thread in threads:
    thread.join()
assert statuses == [0] * 10
"""
    run(program, files, tmp_path)


def test_large_images_in_forked_workers(files, tmp_path):
    # OpenCV has threads of its own for these.
    program = f"""{FORK}
predictor = Predictor(sys.argv[1], threads=2)
large = [image[..., None].repeat(60, axis=0).repeat(40, axis=1).repeat(3, axis=2) for image in images[:3]]
def read():
    assert [reading.text for reading in predictor.predict(large)] == texts[:3]
read()
assert [ended(forked(read)) for _ in range(3)] == [0] * 3
"""
    run(program, files, tmp_path)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(files, tmp_path, method):
    program = f"""
def keep(given):
    global predictor
    predictor = given
def read(part):
    return [reading.text for reading in predictor.predict(part)]
if __name__ == "__main__":
    loaded = Predictor(sys.argv[1], threads=2)
    check(loaded)
    with multiprocessing.get_context("{method}").Pool(3, keep, (loaded,)) as pool:
        found = pool.map(read, [images] * 6, 1)
    assert found == [texts] * 6
    check(loaded)
"""
    run(program, files, tmp_path)


def test_methods_are_given_to_processes(files, tmp_path):
    program = """
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    predictor = Predictor(sys.argv[1], batch_size=7)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        readings = pool.submit(predictor.predict, images[:20]).result()
    for one, other in zip(readings, predictor.predict(images[:20])):
        assert one.text == other.text and abs(one.confidence - other.confidence) < 1e-5
        assert len(one.characters) == len(other.characters)
"""
    run(program, files, tmp_path)


def test_a_decoder_goes_along(files, tmp_path):
    program = """
from ocr_lib.recognize.beam import BeamDecoder
from ocr_lib.recognize.pattern import compile_pattern
def read(predictor):
    return predictor.texts(images[:5])
if __name__ == "__main__":
    decode = BeamDecoder(compile_pattern("[0-9]{4}", Alphabet("0123456789")))
    predictor = Predictor(sys.argv[1], decode=decode, max_pixels=5)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (found,) = pool.map(read, [predictor])
    assert found == predictor.texts(images[:5]) and {len(text) for text in found} == {4}
"""
    run(program, files, tmp_path)


def test_needs_no_word_of_the_system_about_cores(files, monkeypatch):
    # macOS and Windows have no such function.
    monkeypatch.delattr(os, "sched_getaffinity")
    images = list(np.load(files[1]))
    for cores in 3, None:
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert [reading.text for reading in Predictor(files[0]).predict(images)][:2] == ["000", "001"]
