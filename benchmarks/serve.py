"""How many requests of one image a second the service answers, and how fast: beside the obvious one, and far too many.

The obvious service is FastAPI and a Predictor that reads each request's image on its own. Both have a process for each
core; what asks runs on the same machine, so part of it is taken by that. The images are PNG files of captchas.

    python benchmarks/serve.py --model demo/ocr.onnx
    python benchmarks/serve.py --model demo/ocr.onnx --soak 60

The second asks for so many minutes, at most of what the service can do, while its model is another every minute.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import httpx
from fastapi import FastAPI, Request
from load import CONNECTIONS, Load, ask
from report import FONTS, ROOT, Row, make_parser, memory_mb, show

from ocr_lib import Predictor
from ocr_lib.cores import usable_cores
from ocr_lib.files import write_atomic
from ocr_lib.images.decode import image_files
from ocr_lib.zoo.models import model_path

MODEL = "OCR_BENCHMARK_MODEL"  # the environment variable of the model that the obvious service reads with
FAR_TOO_MANY = 1000
SLOW = 500
SOAKED = 0.8  # of what can be done
SETTLED = 5  # minutes, from which on memory is compared
SECONDS_OF_MINUTE = 59.0


def obvious() -> FastAPI:
    """Return the obvious service."""
    predictor = Predictor(os.environ[MODEL], threads=1)
    app = FastAPI()

    @app.post("/read")
    async def read(request: Request) -> Dict[str, Any]:
        reading = predictor.predict(await request.body())
        return {"text": reading.text, "confidence": reading.confidence}

    return app


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def service(command: List[str], port: int, path: str) -> Iterator[int]:
    """Run a service, from when it answers on."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}{path}")
                break
            if time.monotonic() > deadline:
                sys.exit(f"{command} does not answer")
            time.sleep(0.05)
        time.sleep(1)  # until all its processes answer
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def ours(port: int, *options: str) -> List[str]:
    """Return the command of our service."""
    command = [
        sys.executable,
        str(ROOT / "lstm_ocr_serve.py"),
        f"--model={os.environ[MODEL]}",
        f"--port={port}",
        "--quiet",
    ]
    return [*command, *options]


def workers_of(pid: int) -> List[int]:
    """Return the processes of a service that answer."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def throughput(files: List[bytes], seconds: float) -> List[Row]:
    """Compare services, 64 connections each."""
    ports = [_free_port() for _ in range(3)]
    cores = usable_cores()
    plain = [sys.executable, "-m", "uvicorn", "--factory", "serve:obvious", f"--port={ports[2]}", f"--workers={cores}"]
    plain += ["--app-dir", str(Path(__file__).parent), "--no-access-log"]
    contestants = [
        ("service", ours(ports[0]), ports[0], "/v1/read"),
        ("service without batches", ours(ports[1], "--batch-size=1"), ports[1], "/v1/read"),
        ("obvious service", plain, ports[2], "/read"),
    ]
    rates: Dict[str, List[Load]] = {name: [] for name, *_ in contestants}
    with contextlib.ExitStack() as stack:
        for _, command, port, _ in contestants:
            stack.enter_context(service(command, port, "/docs"))
        for _ in range(3):
            for name, _, port, path in contestants:
                rates[name].append(ask(port, path, files, seconds))
        half = max(load.rate for load in rates["service"]) / 2
        calm = ask(ports[0], "/v1/read", files, 2 * seconds, rate=half)
    best = {name: max(loads, key=lambda load: load.rate) for name, loads in rates.items()}
    baseline = best["obvious service"].rate
    alone = _alone(files, seconds)
    asking = best["service"].seconds / best["service"].passed / cores
    return [
        *(
            Row(f"{name}, {CONNECTIONS} connections", load.rate, "images/s", load.rate / baseline)
            for name, load in best.items()
        ),
        Row("Predictor alone, in batches, all cores", alone, "images/s", alone / baseline),
        Row(
            "service, of what the Predictor does with the share that asking leaves it",
            100 * best["service"].rate / (alone * (1 - asking)),
            "%",
        ),
        Row("at half of that load: median", calm.quantile(0.5), "ms"),
        Row("at half of that load: 99 of 100", calm.quantile(0.99), "ms"),
    ]


def _alone(files: List[bytes], seconds: float) -> float:
    predictor = Predictor(os.environ[MODEL])
    files = (files * (512 // len(files) + 1))[:512]
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        predictor.predict(files)
        done += len(files)
    return done / (time.perf_counter() - began)


def overload(files: List[bytes], seconds: float) -> List[Row]:
    """Ask for far more than can be done."""
    port = _free_port()
    with service(ours(port), port, "/healthz") as pid:
        before = ask(port, "/v1/read", files, 3).rate
        resting = memory_mb(pid)
        load = ask(port, "/v1/read", files, seconds, FAR_TOO_MANY)
        after = ask(port, "/v1/read", files, 1).rate
        left = memory_mb(pid)
    others = sum(count for status, count in load.statuses.items() if status not in (200, 503))
    return [
        Row(f"{FAR_TOO_MANY} connections: requests", sum(load.statuses.values()) / load.passed, "1/s"),
        Row(f"{FAR_TOO_MANY} connections: answered 200", load.rate, "1/s"),
        Row(f"{FAR_TOO_MANY} connections: neither 200 nor 503", others, ""),
        Row(f"{FAR_TOO_MANY} connections: 99 of 100 within", load.quantile(0.99), "ms"),
        Row("the second after it, against before", 100 * after / before, "%"),
        Row("memory after it, against before", 100 * left / resting, "%"),
    ]


def killed(files: List[bytes], seconds: float) -> List[Row]:
    """Kill one of the processes under load."""
    port = _free_port()
    with service(ours(port), port, "/healthz") as pid:
        workers = workers_of(pid)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            asked = pool.apply_async(ask, (port, "/v1/read", files, seconds))
            time.sleep(seconds / 3)
            os.kill(workers[0], signal.SIGKILL)
            began = time.perf_counter()
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
            answered = time.perf_counter() - began
            load = asked.get()
    return [
        Row("a process killed: the next answer after", 1000 * answered, "ms"),
        Row(f"a process killed: requests lost, of {CONNECTIONS} connections", load.statuses.get(0, 0), ""),
    ]


def slow(files: List[bytes], seconds: float) -> List[Row]:
    """Ask while others begin requests that they never end."""
    port = _free_port()
    begun = [b"POST /v1/rea", b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nabc"]
    with service(ours(port), port, "/healthz"), contextlib.ExitStack() as stack:
        before = ask(port, "/v1/read", files, seconds)
        for n in range(SLOW):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(begun[n % 2])
        beside = ask(port, "/v1/read", files, seconds)
    return [Row(f"beside {SLOW} that never end their requests, against alone", 100 * beside.rate / before.rate, "%")]


def _digest_of(port: int, name: str) -> str:
    models = httpx.get(f"http://127.0.0.1:{port}/v1/models").json()["models"]
    return str(next(model["sha256"] for model in models if model["name"] == name))


def soak(files: List[bytes], minutes: int) -> List[Row]:
    """Ask for most of what can be done, with another model each minute."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        models = [model_path(name).read_bytes() for name in (os.environ[MODEL], "captcha-digits")]
        write_atomic(path, models[0])
        with service(ours(port, f"--model=changing={path}"), port, "/healthz") as pid:
            asked = "/v1/read?model=changing"
            rate = SOAKED * max(ask(port, asked, files, 5).rate for _ in range(3))
            loads, memory, swaps, digest = [], [], 0, _digest_of(port, "changing")
            for minute in range(1, minutes + 1):
                loads.append(ask(port, asked, files, SECONDS_OF_MINUTE, rate=rate))
                memory.append(memory_mb(pid))
                before, digest = digest, _digest_of(port, "changing")
                swaps += digest != before
                write_atomic(path, models[minute % 2])
    answers = sum(load.statuses.get(200, 0) for load in loads)
    others = sum(count for load in loads for status, count in load.statuses.items() if status != 200)
    return [
        Row(f"{minutes} minutes at {100 * SOAKED:.0f} %: answered 200", answers, ""),
        Row("any other answer, or none", others, ""),
        Row("minutes in which it read with another model than in the one before", swaps, ""),
        Row("median of the last minute", loads[-1].quantile(0.5), "ms"),
        Row("99 of 100 of the last minute", loads[-1].quantile(0.99), "ms"),
        Row(f"memory after minute {SETTLED}", memory[SETTLED - 1], "MB"),
        Row("memory at the end, against that", 100 * memory[-1] / memory[SETTLED - 1], "%"),
        Row("most memory, against that", 100 * max(memory[SETTLED:]) / memory[SETTLED - 1], "%"),
    ]


def captchas(count: int) -> List[bytes]:
    """Return files of captchas."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(ROOT / "captcha_generator.py"),
            str(FONTS),
            f"--count={count}",
            f"--out={folder}",
        ]
        subprocess.run([*command, "--seed=7", "--quiet"], check=True)
        return [path.read_bytes() for path in image_files(Path(folder))]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of a measurement; far too many go on for 12 times as long"
    )
    parser.add_argument("--model", default="captcha-digits", help="an exported model, or one by name")
    parser.add_argument("--soak", type=int, metavar="MINUTES", help="ask for so long instead, more than 5 minutes")
    args = parser.parse_args()
    if args.soak is not None and args.soak <= SETTLED:
        parser.error(f"--soak {args.soak}: more than {SETTLED} minutes are needed")
    os.environ.update({"OMP_NUM_THREADS": "1", MODEL: args.model})
    files = captchas(256)
    if args.soak:
        show(soak(files, args.soak), args.json)
        return
    rows = throughput(files, args.seconds)
    rows += overload(files, 12 * args.seconds)
    rows += killed(files, args.seconds)
    rows += slow(files, args.seconds)
    show(rows, args.json)


if __name__ == "__main__":
    main()
