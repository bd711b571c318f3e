"""A service in processes of its own, and images for it to read."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.draw.captcha import CaptchaRenderer, num_draws
from ocr_lib.draw.fonts import Font
from ocr_lib.recipe.captcha import CaptchaRecipe
from ocr_lib.zoo.models import FOLDER

ROOT = Path(__file__).parent.parent.parent
MODEL = FOLDER / "captcha-digits.onnx"
"""Reads captchas of digits."""
OTHER = FOLDER / "captcha-alphanumeric.onnx"


def captcha_files(count, seed=1):
    """Return files of captchas of four digits."""
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list("0123456789"), 4)) for _ in range(count)]
    renderer = CaptchaRenderer(CaptchaRecipe(), [Font(ROOT / "font" / "Ubuntu-M.ttf")])
    images = renderer.render(texts, random.random((count, num_draws(4))))
    return [cv2.imencode(".png", image)[1].tobytes() for image in images]


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Service:
    """`lstm_ocr_serve.py`, answering at `url`; `lines` are what it logs."""

    def __init__(self, *arguments, cwd=None):
        port = free_port()
        command = [sys.executable, str(ROOT / "lstm_ocr_serve.py"), f"--port={port}", *map(str, arguments)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=cwd)
        self.lines = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self.wait_until_it_answers()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(json.loads(line))

    def wait_until_it_answers(self, seconds=60):
        """Wait until it can be connected to."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert time.monotonic() < deadline, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.02)

    def _answers(self):
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def wait_for(self, text, seconds=60):
        """Wait until a line is logged that has a text in it; return what it says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.lines:
                if text in line.get("message", ""):
                    return line["message"]
            if self.process.poll() is not None and not self._reading.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"no {text!r} in {self.lines}")

    def workers(self):
        """Return the ids of the processes that answer."""
        command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [int(line.split()[0]) for line in listed.splitlines() if "spawn_main" in line]

    def read(self, data, **parameters):
        """Send an image as the body of a request; return the response."""
        return self.http.post("/v1/read", content=data, params=parameters)

    def end(self, number=signal.SIGTERM):
        """End it; return the exit code."""
        self.http.close()
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reading.join(10)
        self.process.stderr.close()
        return code


@contextlib.contextmanager
def running(*arguments, **options):
    """Run a service, and end it."""
    service = Service(*arguments, **options)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            assert service.end() == 0
