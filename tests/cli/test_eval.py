"""The command that measures how well labelled images are read, on a network made by hand that reads marks."""

import json
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser

import pytest

from ocr_lib.cli.eval import main
from tests.cli.eval_command import KEYS, LABELS, write_data
from tests.cli.infer_command import ROOT, write
from tests.cli.running import run_main
from tests.small_network import LETTERS
from tests.unmeasured import UNMEASURED

SCRIPT = ROOT / "lstm_ocr_eval.py"


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def run(capfd):
    return partial(run_main, capfd, main)


@pytest.fixture
def evaluate(run, prefix):
    return lambda data, *arguments, prefix=prefix: run(f"--prefix={prefix}", f"--data={data}", *arguments)


@pytest.fixture
def figures(evaluate):
    """Run the command without an error; return what it says in JSON."""

    def figures(data, *arguments, **options):
        code, output, errors = evaluate(data, "--json", *arguments, **options)
        assert (code, errors) == (0, [])
        return json.loads(output)

    return figures


def spoil(data, *indices):
    for index in indices:
        (data / f"{index}.png").write_bytes(b"no image")


class TestFigures:
    def test_json(self, figures, data):
        found = figures(data)
        assert list(found) == KEYS
        assert [found[name] for name in KEYS[:9]] == pytest.approx(
            [2 / 5, 2 / 5, 2 / 5, 3 / 15, (1 + 1 / 5 + 1 / 3) / 5, 3 / 5, (2 + 4 / 5 + 2 / 3) / 5, 5, 0]
        )
        assert [tuple(entry.values()) for entry in found["confusions"]] == [("1", "7", 1), ("7", "1", 1), ("9", "", 1)]
        assert [(group["from"], group["to"], group["count"]) for group in found["by_length"]] == [
            *((1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1), (5, 5, 1))
        ]
        assert sum(group["count"] for group in found["by_confidence"]) == 5
        assert [list(line.values())[:3] for line in found["worst"]] == [
            *(["1.png", "1", "7"], ["4.png", "999", "99"], ["2.png", "31475", "31415"])
        ]

    def test_text(self, evaluate, data):
        code, output, errors = evaluate(data)
        assert (code, errors) == (0, [])
        assert output.startswith("5 images read, 0 skipped\n")
        assert "1 read as 7" in output and "9 missed" in output
        assert "  1.png: edits 1, confidence 0." in output

    def test_all_is_right(self, figures, tmp_path):
        found = figures(write_data(tmp_path, {text: text for text in LABELS}))
        assert [found[name] for name in KEYS[:7]] == [1, 1, 1, 0, 0, 0, 1]
        assert (found["confusions"], found["worst"]) == ([], [])

    def test_letters(self, evaluate, letters_prefix, tmp_path):
        data = write_data(tmp_path, {"вага": "Вага", "ж": "ж"}, LETTERS)
        code, output, errors = evaluate(data, "--json", prefix=letters_prefix)
        found = json.loads(output)
        assert (code, len(errors), found["exact_match"], found["exact_match_ci"]) == (0, 1, 0.5, 1)
        assert '"reference": "Вага"' in output, "letters stay readable"

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 1000])
    def test_any_batch_size_finds_the_same(self, figures, data, batch_size):
        one, other = figures(data, f"--batch-size={batch_size}"), figures(data)
        assert all(one[name] == other[name] for name in KEYS[:11])

    @pytest.mark.parametrize("epoch, right", [("best", 2), ("2", 2), ("1", 0), ("last", 0)])
    def test_epoch(self, figures, data, epoch, right):
        assert figures(data, f"--epoch={epoch}")["exact_match"] == right / 5

    @pytest.mark.parametrize("worst, names", [(0, []), (1, ["1.png"]), (9, ["1.png", "4.png", "2.png"])])
    def test_worst(self, figures, data, worst, names):
        assert [line["name"] for line in figures(data, f"--worst={worst}")["worst"]] == names

    def test_decoding(self, figures, data):
        found = figures(data, f"--pattern={'|'.join(LABELS.values())}")
        assert [found[name] for name in KEYS[:7]] == [1, 1, 1, 0, 0, 0, 1]

    def test_format(self, figures, tmp_path):
        for text in LABELS:
            write(tmp_path / f"{text}_1.png", text)
        found = figures(tmp_path, "--quiet")
        assert (found["exact_match"], found["count"]) == (1, 5)
        assert figures(tmp_path, "--quiet", "--format=names") == found

    def test_quiet_changes_no_result(self, evaluate, data):
        assert evaluate(data, "--quiet") == evaluate(data)


class TestModel:
    def test_finds_what_the_checkpoint_does(self, run, figures, data, model):
        code, output, errors = run(f"--model={model}", f"--data={data}", "--json")
        assert (code, errors) == (0, [])
        found, expected = json.loads(output), figures(data)
        for line, other in zip(found.pop("worst"), expected.pop("worst")):
            assert line.pop("confidence") == pytest.approx(other.pop("confidence"), abs=1e-5)
            assert line == other
        assert found == expected

    def test_a_checkpoint_besides(self, run, data, model, prefix):
        code, output, errors = run(f"--model={model}", f"--prefix={prefix}", f"--data={data}")
        assert (code, output, len(errors)) == (1, "", 1)
        assert "leave --prefix and --epoch out" in errors[0]

    def test_cores(self, run, data, model):
        code, output, errors = run(f"--model={model}", "--cpu=2", f"--data={data}")
        assert (code, output, len(errors)) == (1, "", 1)
        assert "--cpu goes with a checkpoint" in errors[0]

    def test_needs_no_mxnet(self, data, model):
        program = "import sys; sys.modules['mxnet'] = None; from ocr_lib.cli.eval import main; sys.exit(main())"
        command = [sys.executable, "-c", program, f"--model={model}", f"--data={data}", "--json"]
        finished = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, env=UNMEASURED
        )
        assert (finished.returncode, finished.stderr) == (0, "")
        assert json.loads(finished.stdout)["count"] == 5


class TestSkipped:
    def test_are_counted_and_told(self, evaluate, data):
        spoil(data, 1, 3)
        code, output, errors = evaluate(data, "--json", "--max-problems=0.4")
        found = json.loads(output)
        assert (code, found["count"], found["skipped"], len(errors)) == (0, 3, 2, 2)
        assert found["exact_match"] == pytest.approx(1 / 3)
        for index, error in zip((1, 3), errors):
            assert f" Skipped: {data}/" in error and f" {index}.png: " in error

    def test_those_without_a_text_count_too(self, evaluate, data):
        write(data / "5.png")
        with (data / "labels.tsv").open("a") as labels:
            labels.write("5.png\t\n")
        spoil(data, 1)
        code, output, errors = evaluate(data, "--json", "--max-problems=0.5")
        assert (code, json.loads(output)["skipped"], len(errors)) == (0, 2, 2)
        assert "the label is empty" in errors[0]

    def test_of_many_the_first_are_named(self, evaluate, tmp_path):
        data = write_data(tmp_path, {str(i): str(i) for i in range(9)})
        spoil(data, *range(8))
        code, output, errors = evaluate(data, "--max-problems=1")
        assert (code, output.splitlines()[0], len(errors)) == (0, "1 images read, 8 skipped", 6)
        assert errors[-1].endswith("Skipped: 3 others")

    @pytest.mark.parametrize("batch_size", [1, 128])
    def test_too_many_stop_it(self, evaluate, data, tmp_path, batch_size):
        spoil(data, 1, 3)
        options = [f"--batch-size={batch_size}", "--max-problems=0.2", f"--html={tmp_path}/page.html"]
        code, output, errors = evaluate(data, *options)
        assert (code, output, len(errors)) == (1, "", 1)
        assert "2 of 5" in errors[0] and "--max-problems is 0.2" in errors[0] and "3.png" in errors[0]
        assert not (tmp_path / "page.html").exists()

    def test_all_of_them_is_an_error_whatever_is_allowed(self, evaluate, data):
        spoil(data, *range(5))
        code, output, errors = evaluate(data, "--max-problems=1")
        assert (code, output, len(errors)) == (1, "", 1)
        assert f"{data}: no labelled image: " in errors[0]


class TestUnknownCharacters:
    def test_are_told_and_count_as_errors(self, evaluate, tmp_path):
        data = write_data(tmp_path, {"12": "12", "31": "3é", "15": "éß"})
        code, output, errors = evaluate(data, "--json")
        found = json.loads(output)
        assert (code, len(errors)) == (0, 1)
        assert errors[0].endswith("The alphabet lacks 'ß' (1 times), 'é' (2 times) of the texts: these count as errors")
        assert (found["exact_match"], found["cer"]) == (pytest.approx(1 / 3), 0.5)


class TestHTML:
    def test_is_a_page_with_the_worst_lines(self, evaluate, data, tmp_path):
        code, output, errors = evaluate(data, f"--html={tmp_path}/new/page.html", "--worst=2")
        assert (code, errors) == (0, [])
        assert output == evaluate(data, "--worst=2")[1]
        source = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
        images = []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, attributes: images.append(dict(attributes)) if tag == "img" else None
        parser.feed(source)
        assert [image["src"][:22] for image in images] == ["data:image/png;base64,"] * 2
        assert f"on {data}</h1>" in source
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["page.html"]

    def test_shows_labels_as_they_are(self, evaluate, tmp_path):
        data = write_data(tmp_path / "data", {"": "<script>", "2": "2a&b\"'", "3": "3שלום", "4": "e\u0323\u0302"})
        code, _, errors = evaluate(data, f"--html={tmp_path}/page.html")
        assert (code, len(errors)) == (0, 1)
        source = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "<script" not in source and "&lt;script&gt;" in source
        assert "a&amp;b&quot;&#x27;" in source
        assert "שלום" in source and "\u1ec7" in source

    def test_that_can_not_be_written_is_one_line(self, evaluate, data, tmp_path):
        (tmp_path / "file").touch()
        code, _, errors = evaluate(data, f"--html={tmp_path}/file/page.html")
        assert (code, len(errors)) == (1, 1)
        assert f"{tmp_path}/file/page.html can't be written" in errors[0]


class TestErrors:
    """Each is one line that names what is wrong, with exit code 1 and nothing on stdout."""

    @pytest.mark.parametrize(
        "option, said",
        [
            ("--worst=-1", "--worst must be at least 0, not -1"),
            ("--max-problems=1.5", "--max-problems must be from 0 to 1, not 1.5"),
            ("--max-problems=nan", "--max-problems must be from 0 to 1, not nan"),
            ("--batch-size=0", "--batch-size must be at least 1, not 0"),
            ("--cpu=0", "--cpu must be at least 1, not 0"),
            ("--beam-width=3", "--beam-width goes with --decoder beam"),
            ("--epoch=9", "has no epoch 9"),
            ("--format=gt", "no labelled image"),
        ],
    )
    def test_options(self, evaluate, data, option, said):
        code, output, errors = evaluate(data, option)
        assert (code, output, len(errors)) == (1, "", 1)
        assert ": error: " in errors[0] and said in errors[0]

    def test_no_data(self, evaluate, tmp_path):
        (tmp_path / "empty").mkdir()
        for path, said in ((tmp_path / "none", "no such file or folder"), (tmp_path / "empty", "no labelled image")):
            code, output, errors = evaluate(path)
            assert (code, output, len(errors)) == (1, "", 1)
            assert f"{path}: {said}" in errors[0]

    def test_no_checkpoint(self, evaluate, data, tmp_path):
        code, output, errors = evaluate(data, prefix=tmp_path / "other")
        assert (code, output, len(errors)) == (1, "", 1)
        assert "other-symbol.json: no such checkpoint" in errors[0]

    @pytest.mark.parametrize("arguments", [[], ["--data=x", "--format=pdf"], ["--data=x", "--worst=all"]])
    def test_arguments(self, run, arguments, capfd):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2
        assert len(capfd.readouterr().err.splitlines()) == 1


class TestScript:
    def test_runs(self, prefix, data):
        command = [sys.executable, str(SCRIPT), f"--prefix={prefix}", f"--data={data}", "--json"]
        finished = subprocess.run(
            command, cwd=data, capture_output=True, text=True, timeout=120, check=False, env=UNMEASURED
        )
        assert (finished.returncode, finished.stderr) == (0, "")
        assert json.loads(finished.stdout)["count"] == 5
