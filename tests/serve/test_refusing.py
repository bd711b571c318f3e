"""Requests that there is no room for, as clients of every kind send them: refused before the application sees them."""

import contextlib
import logging
import re
import socket
import threading
import time
from functools import partial

import pytest
import uvicorn

from ocr_lib.serve.app import create_app
from ocr_lib.serve.protocol import PatientProtocol
from ocr_lib.serve.settings import Limits, Settings
from tests.serve.running import MODEL, captcha_files

(FILE,) = captcha_files(1)
SECONDS = 3.0  # that a request may take to arrive
KEPT_ALIVE = 1  # seconds, of a connection between requests
READ = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CLOSING = READ.replace(b"Host", b"Connection: close\r\nHost")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.contextmanager
def serving(seconds=SECONDS):
    """Run a service that never has room for an image; yield its port."""
    settings = Settings((("digits", str(MODEL)),), Limits(queue=0, seconds=seconds))
    app = create_app(settings)
    protocol = partial(PatientProtocol, app.state.service)
    config = uvicorn.Config(
        app, port=0, http=protocol, log_config=None, access_log=False, timeout_keep_alive=KEPT_ALIVE
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.fixture
def connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def answers(connection, count):
    """Return statuses, headers and bodies of as many answers."""
    found, received = [], b""
    while len(found) < count:
        part = connection.recv(65536)
        assert part, received
        received += part
        while b"\r\n\r\n" in received:
            head, _, rest = received.partition(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
            if len(rest) < length:
                break
            found.append((int(head[9:12]), head.lower(), rest[:length]))
            received = rest[length:]
    assert received == b""
    return found


def is_closed(connection):
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(65536) == b""
    return True


def is_refusal(answer):
    status, head, body = answer
    return status == 503 and b"retry-after: 1" in head and body == b'{"error":"too many images wait; come again"}'


def test_the_connection_goes_on(connection):
    for _ in range(3):
        connection.sendall(READ % len(FILE) + FILE)
        (answer,) = answers(connection, 1)
        assert is_refusal(answer)
        assert b"connection: close" not in answer[1]
        connection.sendall(HEALTH)
        assert answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize("request_", [READ % 3 + b"abc", READ % 3, CLOSING % 3 + b"abc"])
def test_it_is_told_a_while_later(connection, request_):
    began = time.monotonic()
    connection.sendall(request_)
    assert is_refusal(answers(connection, 1)[0])
    assert time.monotonic() - began > 0.5


@pytest.fixture
def long_pause(monkeypatch):
    """Let no refusal come because its time has come."""
    monkeypatch.setattr("ocr_lib.serve.protocol._PAUSE", 600.0)


def test_one_that_others_follow_is_told_at_once(long_pause, connection):
    connection.sendall(READ % 3 + b"abc" + HEALTH)
    refused, healthy = answers(connection, 2)
    assert is_refusal(refused) and healthy[0] == 200


def test_it_is_refused_before_it_is_there(connection):
    connection.sendall(READ % 10)
    assert is_refusal(answers(connection, 1)[0])
    for _ in range(2):
        time.sleep(0.05)
        connection.sendall(b"12345")
    connection.sendall(HEALTH)
    assert answers(connection, 1)[0][0] == 200


def test_chunks_are_passed_over(connection):
    connection.sendall(b"POST /v1/read?alternatives=2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert is_refusal(answers(connection, 1)[0])
    connection.sendall(b"5\r\n12345\r\n0\r\n\r\n" + HEALTH)
    assert answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize(
    "version, header",
    [("1.1", "Connection: close\r\n"), ("1.0", ""), ("1.0", "Connection: keep-alive\r\n")],
)
def test_a_client_that_wants_no_more(connection, version, header):
    connection.sendall(f"POST /v1/read HTTP/{version}\r\n{header}Content-Length: 5\r\n\r\n12345".encode())
    (answer,) = answers(connection, 1)
    assert is_refusal(answer)
    assert b"connection: close" in answer[1]
    assert is_closed(connection)


def test_answers_have_the_order_of_requests(connection):
    connection.sendall(HEALTH + READ % 3 + b"abc" + HEALTH + READ % 2 + b"ab" + HEALTH)
    assert [status for status, *_ in answers(connection, 5)] == [200, 503, 200, 503, 200]


@pytest.mark.parametrize(
    "sent, least",
    [(READ % 10 + b"123", SECONDS / 2), (READ % 3 + b"abc", KEPT_ALIVE / 2)],
    ids=["never ends its request", "asks for no more"],
)
def test_one_that_is_let_go_is_answered_once(connection, sent, least):
    connection.sendall(sent)
    assert is_refusal(answers(connection, 1)[0])
    began = time.monotonic()
    assert is_closed(connection)
    assert time.monotonic() - began > least


def test_one_that_is_late_is_told_no_later(long_pause):
    with serving(seconds=0.2) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(READ % 10)
        assert is_refusal(answers(connection, 1)[0])
        assert is_closed(connection)


def test_a_service_that_ends_tells_it(long_pause):
    with serving() as port:
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(READ % 3 + b"abc")
        time.sleep(0.2)
    with connection:
        assert is_refusal(answers(connection, 1)[0])
        assert is_closed(connection)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_connection_that_ends_meanwhile(port, is_told):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(READ % 10)
        if is_told:
            answers(connection, 1)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(HEALTH)
        assert answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize(
    "line, status", [("GET /v1/models", 200), ("GET /v1/read", 404), ("OPTIONS /v1/read", 405), ("POST /v1/other", 405)]
)
def test_others_are_answered(connection, line, status):
    connection.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answers(connection, 1)[0][0] == status


def test_it_is_counted_and_logged(connection, caplog):
    def count():
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        found = re.search(rb'ocr_requests_total{path="/v1/read",status="503"} (\S+)', answers(connection, 1)[0][2])
        return float(found.group(1)) if found else 0.0

    before = count()
    with caplog.at_level(logging.INFO, "ocr_lib.serve.telemetry"):
        connection.sendall(READ % 3 + b"abc")
        answers(connection, 1)
    assert count() == before + 1
    told = [record.msg for record in caplog.records if record.msg["path"] == "/v1/read"]
    assert told == [{"client": "127.0.0.1", "method": "POST", "path": "/v1/read", "status": 503, "ms": 0.0}]
