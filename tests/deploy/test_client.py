"""A client of the service, against one that runs, and against servers that are none or busy."""

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from ocr_lib import Predictor
from ocr_lib.alphabet import DIGITS
from ocr_lib.cli.infer import KEY, main
from ocr_lib.deploy.client import Client
from ocr_lib.errors import OCRError
from tests.serve.running import MODEL, captcha_files, free_port, running

FILES = captcha_files(40)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("a-key\n")
    with running(f"--model={MODEL}", "--workers=1", f"--api-key-file={keys}") as service:
        yield service


@pytest.fixture(scope="module")
def client(service):
    with Client(service.url, key="a-key") as client:
        yield client


class TestPredict:
    def test_as_the_predictor(self, client):
        expected = Predictor(MODEL).predict(FILES)
        found = client.predict(FILES)  # in two requests
        assert [each.text for each in found] == [each.text for each in expected]
        assert [each.confidence for each in found] == pytest.approx([each.confidence for each in expected], abs=1e-3)
        assert [len(each.characters) for each in found] == [len(each.text) for each in expected]

    def test_whatever_an_image_is(self, client, tmp_path):
        path = tmp_path / "image.png"
        path.write_bytes(FILES[0])
        pillow = Image.open(io.BytesIO(FILES[0]))
        array = np.asarray(pillow.convert("L"))
        texts = {
            client.predict(given).text for given in (path, str(path), FILES[0], io.BytesIO(FILES[0]), pillow, array)
        }
        assert texts == {Predictor(MODEL).predict(FILES[0]).text}

    def test_wishes(self, service):
        text = Predictor(MODEL).predict(FILES[0]).text
        with Client(service.url, "captcha-digits", "a-key", lexicon=["12", text]) as client:
            assert client.predict(FILES[0]).text == text
        with Client(service.url, key="a-key", pattern=r"\d{3}") as client:
            assert len(client.predict(FILES[0]).text) == 3

    def test_an_image_that_is_none_is_named(self, client):
        with pytest.raises(OCRError, match="image 1: no image"):
            client.predict([FILES[0], b"nothing"])

    def test_nothing(self, client):
        assert client.predict([]) == []

    def test_its_alphabet(self, client):
        assert client.alphabet.characters == DIGITS


class TestRefusals:
    def test_without_the_key(self, service):
        with Client(service.url) as client, pytest.raises(OCRError, match=r"a key is needed.*401"):
            client.predict(FILES[0])

    def test_another_model(self, service):
        with Client(service.url, "words", "a-key") as client, pytest.raises(OCRError, match="no model 'words'"):
            client.predict(FILES[0])

    def test_nobody_is_there(self):
        with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(OCRError, match="does not answer"):
            client.predict(FILES[0])

    @pytest.mark.parametrize("url", ["127.0.0.1:80", "http://[", ""])
    def test_no_url(self, url):
        with Client(url) as client, pytest.raises(OCRError, match="does not answer"):
            client.predict(FILES[0])


@pytest.fixture
def serve():
    """Return a function that runs a server with answers, one after the other, and returns its URL and what is asked."""
    servers = []

    def serve(*answers):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = answers[min(len(asked), len(answers) - 1)]
                asked.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", asked

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


BUSY = (503, b'{"error": "too many images wait"}')
READ = (200, b'{"model": "m", "readings": [{"text": "1", "confidence": 1.0, "characters": []}]}')


class TestBusyServices:
    def test_comes_again(self, serve):
        url, asked = serve(BUSY, BUSY, READ)
        with Client(url) as client:
            assert client.predict(FILES[0]).text == "1"
        assert len(asked) == 3

    def test_gives_up(self, serve):
        url, asked = serve(BUSY)
        with Client(url, retries=2) as client, pytest.raises(OCRError, match="too many images wait"):
            client.predict(FILES[0])
        assert len(asked) == 3

    @pytest.mark.parametrize("answer", [(200, b"<html>"), (404, b"not here"), (500, b"[]"), (500, b"{}")])
    def test_another_server(self, serve, answer):
        url, asked = serve(answer)
        with Client(url) as client, pytest.raises(OCRError, match="no service of lstm_ocr_serve.py"):
            client.predict(FILES[0])
        assert len(asked) == 1


class TestInfer:
    @pytest.fixture
    def run(self, service, monkeypatch, capsys, tmp_path):
        monkeypatch.setenv(KEY, "a-key")
        (tmp_path / "0.png").write_bytes(FILES[0])

        def run(*arguments, url=service.url):
            code = main([f"--url={url}", *map(str, arguments)])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        return run

    def test_reads(self, run, tmp_path):
        text = Predictor(MODEL).predict(FILES[0]).text
        assert run(tmp_path / "0.png") == (0, f"Digits: {[int(each) for each in text]}\n", "")

    def test_others_are_read_all_the_same(self, run, tmp_path):
        (tmp_path / "1.png").write_bytes(b"nothing")
        code, output, errors = run(tmp_path / "0.png", tmp_path / "1.png", tmp_path / "2.png")
        assert code == 1
        assert output.count("Digits") == 1
        assert "1.png: no image" in errors
        assert "2.png: No such file" in errors

    def test_lexicon(self, run, tmp_path):
        text = Predictor(MODEL).predict(FILES[0]).text
        (tmp_path / "words.txt").write_text(f"17\n\n{text}\n")
        code, output, _ = run(tmp_path / "0.png", f"--lexicon={tmp_path / 'words.txt'}", "--json")
        assert code == 0
        assert f'"text": "{text}"' in output

    @pytest.mark.parametrize("option", ["--prefix=x", "--epoch=3", "--decoder=beam", "--plot=x.png", "--batch-size=3"])
    def test_options_of_other_recognizers(self, run, option, tmp_path):
        code, _, errors = run(tmp_path / "0.png", option)
        assert code == 1
        assert f"leave {option.partition('=')[0]} out" in errors
