"""What a service answers, asked over HTTP."""

import base64
import json
import socket

import numpy as np
import pytest

from ocr_lib import Predictor
from ocr_lib.cv import cv2
from ocr_lib.recognize.beam import BeamDecoder
from ocr_lib.recognize.pattern import compile_pattern
from tests.serve.running import MODEL, OTHER, captcha_files, running

FILES = captcha_files(5)
LARGE = cv2.imencode(".png", np.full((150, 200), 200, np.uint8))[1].tobytes()
LIMITS = ["--max-body=0.1", "--max-pixels=20000", "--max-images=6"]


@pytest.fixture(scope="module")
def service():
    with running(f"--model={MODEL}", f"--model=letters={OTHER}", "--workers=1", *LIMITS) as service:
        yield service


@pytest.fixture(scope="module")
def predictor():
    return Predictor(MODEL)


def asked_by_form(service, files):
    return service.http.post("/v1/read", files=[("files", (f"{n}.png", data)) for n, data in enumerate(files)])


def asked_in_json(service, files):
    return service.http.post("/v1/read", json={"images": [base64.b64encode(data).decode() for data in files]})


def error(response, status):
    """Return what is said to be wrong, in a line."""
    assert response.status_code == status
    (message,) = response.json().values()
    assert "\n" not in message
    return message


class TestRead:
    @pytest.mark.parametrize("ask", [asked_by_form, asked_in_json])
    def test_several(self, service, predictor, ask):
        answer = ask(service, FILES).json()
        assert answer["model"] == "captcha-digits"
        expected = predictor.predict(FILES)
        for found, reading in zip(answer["readings"], expected):
            assert found["text"] == reading.text
            assert found["confidence"] == pytest.approx(reading.confidence, abs=1e-3)
            assert [each["text"] for each in found["characters"]] == list(reading.text)
            assert [each["x"] for each in found["characters"]] == pytest.approx(
                [each.x for each in reading.characters], abs=0.2
            )
        assert len(answer["readings"]) == len(FILES)

    def test_one_as_the_body(self, service, predictor):
        (reading,) = service.read(FILES[0]).json()["readings"]
        assert reading == {**reading, "text": predictor.predict(FILES[0]).text}
        assert "name" not in reading

    def test_names_are_those_of_files(self, service):
        readings = asked_by_form(service, FILES[:2]).json()["readings"]
        assert [reading["name"] for reading in readings] == ["0.png", "1.png"]

    def test_each_image_has_its_own_error(self, service):
        response = asked_by_form(service, [FILES[0], b"no image"])
        good, bad = response.json()["readings"]
        assert response.status_code == 200
        assert good["text"]
        assert bad == {"name": "1.png", "error": "no image that OpenCV can read, or a damaged one"}

    def test_nothing_that_can_be_read(self, service):
        response = service.read(b"no image")
        assert response.status_code == 422
        assert "no image" in response.json()["readings"][0]["error"]

    def test_another_model(self, service):
        answer = service.read(FILES[0], model="letters").json()
        assert answer["model"] == "letters"
        assert answer["readings"][0]["text"] == Predictor(OTHER).predict(FILES[0]).text


class TestWishes:
    def test_alternatives(self, service, predictor):
        (reading,) = service.read(FILES[0], alternatives=3).json()["readings"]
        found = [each["text"] for each in reading["alternatives"]]
        assert len(set(found)) == 3
        assert found[0] == reading["text"] == predictor.predict(FILES[0]).text
        confidences = [each["confidence"] for each in reading["alternatives"]]
        assert confidences == sorted(confidences, reverse=True)
        assert confidences[0] == reading["confidence"]
        assert sum(confidences) <= 1

    def test_pattern(self, service, predictor):
        (reading,) = service.read(FILES[0], pattern=r"[1-4]\d{2}").json()["readings"]
        decode = BeamDecoder(compile_pattern(r"[1-4]\d{2}", predictor.alphabet))
        assert reading["text"] == Predictor(MODEL, decode=decode).predict(FILES[0]).text

    def test_lexicon(self, service, predictor):
        text = predictor.predict(FILES[1]).text
        (reading,) = service.read(FILES[1], lexicon=["1234", text, "9"]).json()["readings"]
        assert reading["text"] == text

    def test_no_text_that_is_allowed_fits(self, service):
        (reading,) = service.read(FILES[1], pattern=r"\d{99}").json()["readings"]
        assert (reading["text"], reading["confidence"], reading["characters"]) == ("", 0, [])

    def test_lattice(self, service, predictor):
        (reading,) = service.read(FILES[0], lattice=True).json()["readings"]
        lattice = reading["lattice"]
        assert lattice["classes"][0] == ""
        assert lattice["width"] == 160
        steps = len(lattice["probabilities"])
        assert steps == len(lattice["path"]) == len(predictor.predict(FILES[0]).probabilities)
        best = [lattice["classes"][row] for row in lattice["path"]]
        collapsed = [one for one, before in zip(best, ["", *best]) if one != before]
        assert "".join(collapsed) == reading["text"]
        assert all(0.95 < sum(step) <= 1.001 for step in lattice["probabilities"])

    @pytest.mark.parametrize(
        "wish, said",
        [
            ({"model": "nothing"}, "no model 'nothing'; there are captcha-digits, letters"),
            ({"pattern": "("}, "the pattern '(' is no regular expression"),
            ({"pattern": "a"}, "matches no text"),
            ({"pattern": "x" * 201}, "200"),
            ({"lexicon": ["1", "a"]}, "'a'"),
            ({"lexicon": [""]}, "a word of the lexicon is empty"),
            ({"lexicon": ["1"], "pattern": "1"}, "can't be combined"),
            ({"alternatives": 21}, "alternatives"),
            ({"alternatives": "many"}, "alternatives"),
        ],
    )
    def test_what_can_not_be(self, service, wish, said):
        assert said in error(service.read(FILES[0], **wish), 422)


class TestLimits:
    def test_no_image(self, service):
        assert "no image: send a form" in error(service.read(b""), 422)

    def test_too_large(self, service):
        assert "larger than 104,857 bytes" in error(service.read(b"x" * 200_000), 413)

    def test_too_large_and_does_not_say_so(self, service):
        chunks = (b"x" * 50_000 for _ in range(10))
        assert "larger than" in error(service.http.post("/v1/read", content=chunks), 413)

    def test_too_many_images(self, service):
        assert "7 images; a request may have 6" in error(asked_in_json(service, FILES[:1] * 7), 422)
        assert asked_by_form(service, FILES[:1] * 7).status_code in (400, 422)

    def test_too_many_pixels(self, service):
        (reading,) = service.read(LARGE).json()["readings"]
        assert "pixels" in reading["error"]

    @pytest.mark.parametrize(
        "kind, body",
        [
            ("application/json", b"{"),
            ("application/json", b'{"images": ["?"]}'),
            ("application/json", b'{"images": [1]}'),
            ("application/json", b'{"image": "AAAA"}'),
            ("application/json", b"[" * 90_000),
            ("application/json", b'{"images": []}'),
            ("multipart/form-data; boundary=x", b"--x\r\nnonsense\r\n--x--"),
            ("multipart/form-data", b"--x"),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
            ),
        ],
        ids=range(9),
    )
    def test_what_is_not_what_its_type_says(self, service, kind, body):
        response = service.http.post("/v1/read", content=body, headers={"Content-Type": kind})
        assert error(response, response.status_code)
        assert response.status_code in (400, 422)

    def test_requests_that_never_end(self):
        with running(f"--model={MODEL}", "--workers=1", "--timeout=1.5") as service:
            address = service.http.base_url.host, service.http.base_url.port
            begun = [
                b"",
                b"POST /v1/read HTT",
                b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc",
                b"POST /v1/read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            ]
            for begin in begun:
                with socket.create_connection(address, timeout=10) as connection:
                    connection.sendall(begin)
                    assert service.read(FILES[0]).status_code == 200
                    received = b"".join(iter(lambda c=connection: c.recv(4096), b""))
                assert received[:12] in (b"HTTP/1.1 408", b""), received


class TestOthers:
    def test_models(self, service, predictor):
        first, second = service.http.get("/v1/models").json()["models"]
        assert (first["name"], second["name"]) == ("captcha-digits", "letters")
        assert first["alphabet"] == predictor.alphabet.characters
        assert (first["precision"], first["bytes"]) == ("int8", MODEL.stat().st_size)
        assert first["figures"]["exact_match"] > 0.9

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_all_is_well(self, service, path):
        assert service.http.get(path).json() == {"status": "ok"}

    def test_metrics(self, service):
        def value(name):
            lines = service.http.get("/metrics").text.splitlines()
            return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0)

        images, batches = value('ocr_images_total{model="captcha-digits"}'), value("ocr_batch_images_count")
        asked_by_form(service, FILES)
        assert value('ocr_images_total{model="captcha-digits"}') == images + len(FILES)
        assert value("ocr_batch_images_count") == batches + 1
        assert value("ocr_waiting_images") == 0
        assert value('ocr_requests_total{path="/v1/read",status="200"}') > 0

    def test_a_line_of_the_log_for_each_request(self, service):
        before = len(service.lines)
        service.http.get("/nothing/here")
        service.read(FILES[0], pattern="(")
        asked_by_form(service, FILES)
        service.http.get("/healthz")
        lines = [line for line in service.lines[before:] if line.get("path") in ("/nothing/here", "/v1/read")]
        assert [line["status"] for line in lines] == [404, 422, 200]
        assert "regular expression" in lines[1]["error"]
        assert (lines[2]["images"], lines[2]["model"]) == (5, "captcha-digits")

    def test_openapi_names_what_there_is(self, service):
        described = service.http.get("/openapi.json").json()
        assert {"/v1/read", "/v1/models", "/healthz", "/readyz", "/metrics"} <= set(described["paths"])
        content = described["paths"]["/v1/read"]["post"]["requestBody"]["content"]
        assert set(content) == {"multipart/form-data", "application/json", "application/octet-stream"}

    def test_pages_of_others_may_not_ask(self, service):
        headers = {"Origin": "http://else.where"}
        assert "access-control-allow-origin" not in service.http.get("/v1/models", headers=headers).headers


def test_keys_and_origins(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("first-key\n\nsecond-key\n")
    options = [f"--api-key-file={keys}", "--cors-origin=http://my.page", "--workers=1", "--quiet", "--root-path=/ocr"]
    with running(f"--model={MODEL}", *options) as service:
        assert service.read(FILES[0]).headers["www-authenticate"] == "Bearer"
        for key in ("wrong", "first-ke", "ключ"):
            headers = {"Authorization": f"Bearer {key}".encode()}
            assert "a key is needed" in error(service.http.get("/v1/models", headers=headers), 401)
        headers = {"Authorization": "Bearer second-key", "Origin": "http://my.page"}
        response = service.http.post("/v1/read", content=FILES[0], headers=headers)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "http://my.page"
        assert service.http.get("/healthz").status_code == 200
        assert service.http.get("/openapi.json").json()["servers"] == [{"url": "/ocr"}]
    assert service.lines == []


def test_answers_are_json_of_utf_8(service):
    response = service.read(FILES[0])
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.content)
