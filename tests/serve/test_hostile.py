"""Requests that were made up: from the OpenAPI description, and by damaging good ones."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serve.running import MODEL, captcha_files, running

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
KINDS = ["image/png", "application/json", "multipart/form-data; boundary=x"]
FILES = captcha_files(4)
FORM = b"".join(
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="%d.png"\r\n\r\n%s\r\n' % (n, data)
    for n, data in enumerate(FILES)
)
BODIES = [FILES, [b'{"images": ["iVBORw0KGgo="]}'], [FORM + b"--x--\r\n"]]


@pytest.fixture(scope="module")
def service():
    with running(f"--model={MODEL}", "--workers=1", "--max-body=1", "--timeout=5") as service:
        yield service
        # It has not been started again meanwhile.
        assert not [line for line in service.lines if line["level"] == "error"]


@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="Schemathesis is for Python 3.10 and newer")
def test_requests_that_the_description_allows_and_others(service, tmp_path):
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [str(SCHEMATHESIS), "run", f"{service.url}/openapi.json", f"--checks={checks}", "--max-examples=25"]
    command += ["--seed=1", "--phases=examples,coverage,fuzzing", "--no-color"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert finished.returncode == 0, finished.stdout
    tried = re.search(r"(\d+) generated", finished.stdout)
    assert int(tried.group(1)) > 100


def damaged(data, choose):
    """Return data with a few bytes changed, left out, or repeated."""
    found = bytearray(data)
    for _ in range(choose.randint(1, 8)):
        at = choose.randrange(len(found) or 1)
        how = choose.randrange(4)
        if how == 0:
            found[at : at + 1] = bytes([choose.randrange(256)])
        elif how == 1:
            del found[at : at + choose.randrange(1, 40)]
        elif how == 2:
            found[at:at] = found[at : at + choose.randrange(1, 40)]
        else:
            found = found[: max(at, 1)]
    return bytes(found)


FEW = [(0, 150), (1, 150), (2, 150)]
MANY = [(0, 10_000), (1, 1000), (2, 1000)]
SLOW = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("place, count", [*FEW, *(pytest.param(*each, marks=SLOW) for each in MANY)])
def test_damaged_requests(service, place, count):
    choose = random.Random(count)
    for _ in range(count):
        data = damaged(choose.choice(BODIES[place]), choose)
        response = service.http.post("/v1/read", content=data, headers={"Content-Type": KINDS[place]})
        assert response.status_code in (200, 400, 422), data
        answer = response.json()
        assert "error" in answer or len(answer["readings"]) > 0
    assert service.http.get("/healthz").status_code == 200
