"""Services that are ended, killed, overwhelmed, and given other models while they answer."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy

import httpx
import pytest

from ocr_lib import Predictor
from tests.serve.running import MODEL, OTHER, ROOT, Service, captcha_files, running

FILES = captcha_files(3)


def asked(service, **options):
    """Return the status of a request that has a connection of its own; None if it got no answer."""
    try:
        return httpx.post(f"{service.url}/v1/read", content=FILES[0], timeout=20, **options).status_code
    except httpx.TransportError:
        return None


class Asking:
    """Threads that ask one request after another, until they are told to stop; `statuses` are those of the answers."""

    def __init__(self, service, threads=4):
        self.statuses = []
        self._going = True
        self._threads = [threading.Thread(target=self._ask, args=(service,)) for _ in range(threads)]

    def _ask(self, service):
        while self._going:
            self.statuses.append(asked(service))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._going = False
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_at_the_end(number):
    service = Service(f"--model={MODEL}", "--workers=1")

    def slowly():
        yield FILES[0][:100]
        arriving.set()
        time.sleep(1)
        yield FILES[0][100:]

    arriving = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        response = threads.submit(httpx.post, f"{service.url}/v1/read", content=slowly(), timeout=20)
        arriving.wait(10)
        time.sleep(0.2)
        assert service.end(number) == 0
        assert response.result().status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.url)


def test_a_killed_process_is_replaced():
    with running(f"--model={MODEL}", "--workers=2") as service:
        service.wait_for("answering at")
        first, second = service.workers()
        with Asking(service) as asking:
            time.sleep(0.3)
            os.kill(first, signal.SIGKILL)
            time.sleep(2)
        assert asking.statuses.count(None) <= 4  # what it held
        assert set(asking.statuses) <= {200, None}
        assert asking.statuses.count(200) > 5
        service.wait_for("exit code -9")
        deadline = time.monotonic() + 30
        while len(set(service.workers())) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert first not in service.workers()
        assert second in service.workers()


def test_no_process_outlives_a_killed_service():
    service = Service(f"--model={MODEL}", "--workers=2")
    workers = service.workers()
    service.end(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(Path("/proc", str(worker)).exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sha(service):
    return service.http.get("/v1/models").json()["models"][0]["sha256"]


def test_a_changed_model_takes_over(tmp_path):
    path = tmp_path / "model.onnx"
    copy(MODEL, path)
    expected = Predictor(OTHER).predict(FILES[0]).text
    with running("--model=model.onnx", "--workers=1", cwd=tmp_path) as service, Asking(service, 2) as asking:
        before = sha(service)
        # What is cut off is refused, and the old one stays.
        path.with_suffix(".new").write_bytes(OTHER.read_bytes()[:100_000])
        path.with_suffix(".new").replace(path)
        assert "cut off" in service.wait_for("model.onnx: ")
        assert sha(service) == before
        copy(OTHER, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
        service.wait_for("was renewed")
        assert sha(service) != before
        assert service.read(FILES[0]).json()["readings"][0]["text"] == expected
        path.unlink()
        service.wait_for("No such file")
        assert service.read(FILES[0]).status_code == 200
    assert set(asking.statuses) == {200}


def test_sighup_loads_models_again():
    with running(f"--model={MODEL}", "--workers=1") as service:
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("the model captcha-digits was renewed")
        assert service.read(FILES[0]).status_code == 200


def test_more_than_it_can_do():
    with running(f"--model={MODEL}", "--workers=1", "--max-queue=2", "--batch-size=1") as service:
        with ThreadPoolExecutor(48) as threads:
            responses = [
                threads.submit(httpx.post, f"{service.url}/v1/read", content=FILES[0], timeout=30) for _ in range(120)
            ]
            responses = [response.result() for response in responses]
        assert {response.status_code for response in responses} == {200, 503}
        refused = next(response for response in responses if response.status_code == 503)
        assert refused.headers["retry-after"] == "1"
        assert service.read(FILES[0]).status_code == 200


def refused(*arguments):
    """Return what the command says of arguments that it refuses."""
    command = [sys.executable, str(ROOT / "lstm_ocr_serve.py"), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    return line


def test_an_address_that_is_taken():
    with running(f"--model={MODEL}", "--workers=1") as service:
        port = service.http.base_url.port
        assert f"127.0.0.1:{port} can't be listened on" in refused(f"--model={MODEL}", f"--port={port}")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--model=nothing.onnx"], "nothing.onnx: No such file"),
        (["--model=nothing"], "nor one of the models"),
        ([f"--model={MODEL}", f"--model={MODEL}"], "two models are called captcha-digits"),
        ([f"--model=={MODEL}"], "the name is empty"),
        ([f"--model={MODEL}", "--workers=0"], "--workers must be at least 1"),
        ([f"--model={MODEL}", "--timeout=0"], "--timeout must be at least 0.1"),
        ([f"--model={MODEL}", "--port=70000"], "--port must be from 0 to 65535"),
        ([f"--model={MODEL}", "--api-key-file=nowhere"], "nowhere: No such file"),
        ([f"--model={MODEL}", "--api-key-file=/dev/null"], "/dev/null: no key"),
        ([f"--model={MODEL}", "--host=no.such.host.invalid"], "can't be listened on"),
    ],
)
def test_what_can_not_be_served(arguments, said):
    assert said in refused(*arguments)
