"""Evaluation as the field of scene text does it: letters and digits alone, lexicons of single images, several sets."""

import json
from functools import partial
from html.parser import HTMLParser

import pytest

from ocr_lib.cli.eval import main
from ocr_lib.recognize.evaluation import FIGURES
from tests.cli.eval_command import KEYS, LABELS, write_data
from tests.cli.infer_command import write
from tests.cli.running import run_main
from tests.sets.standard_sets import cells, structs, write_mat
from tests.small_network import LETTERS

LEXICONS = {"0089": "0189,0089,0088", "7": "1,75", "31415": "999,31475", "12": "12,21", "99": "9,999,0"}


@pytest.fixture
def run(capfd):
    return partial(run_main, capfd, main)


@pytest.fixture
def evaluate(run, prefix):
    """Run the command without an error; return what it says in JSON, and the lines of stderr."""

    def evaluate(*data, options=(), prefix=prefix):
        sets = [f"--data={path}" for path in data]
        code, output, errors = run(f"--prefix={prefix}", *sets, "--json", *options)
        assert code == 0, errors
        return json.loads(output), errors

    return evaluate


@pytest.fixture
def refused(run, prefix):
    def refused(*data, options=()):
        code, output, errors = run(f"--prefix={prefix}", *(f"--data={path}" for path in data), *options)
        assert (code, output, len(errors)) == (1, "", 1)
        return errors[0]

    return refused


def write_lexicons(folder, lexicons=LEXICONS, labels=LABELS, alphabet="0123456789"):
    """Write images of marks with their labels and lexicons."""
    write_data(folder, labels, alphabet)
    rows = (folder / "labels.tsv").read_text(encoding="utf-8").splitlines()
    lines = [f"{row}\t{words}\n" for row, words in zip(rows, lexicons.values())]
    (folder / "labels.tsv").write_text("".join(["image\ttext\tlexicon\n", *lines]), encoding="utf-8")
    return folder


class TestCompare:
    def test_letters_and_digits(self, evaluate, tmp_path):
        data = write_data(tmp_path, {"0089": "00-89", "12": "1 2", "7": "(1)"})
        for options, right, cer in ([], 0, 5 / 11), (["--compare=alphanumeric"], 2 / 3, 1 / 7):
            found, errors = evaluate(data, options=options)
            assert (found["exact_match"], found["cer"]) == (pytest.approx(right), pytest.approx(cer))
            assert found["exact_match_alnum_ci"] == pytest.approx(2 / 3)
            assert bool(errors) == (not options), "only where signs count does the alphabet lack them"
        assert [tuple(line.values())[:3] for line in found["worst"]] == [("2.png", "1", "7")]
        assert [tuple(entry.values()) for entry in found["confusions"]] == [("1", "7", 1)]

    def test_case(self, evaluate, letters_prefix, tmp_path):
        data = write_data(tmp_path, {"вага": "ВАГА", "ж": "з"}, LETTERS)
        found, errors = evaluate(data, options=["--compare=alphanumeric"], prefix=letters_prefix)
        assert (found["exact_match"], found["cer"], errors) == (0.5, 1 / 5, [])

    def test_a_text_of_signs_alone_is_left_out(self, evaluate, tmp_path):
        data = write_data(tmp_path, {"12": "12", "7": "?!"})
        found, errors = evaluate(data, options=["--compare=alphanumeric", "--max-problems=0.5"])
        assert (found["count"], found["skipped"], found["exact_match"], len(errors)) == (1, 1, 1, 1)
        assert "labels.tsv:2: 1.png: nothing of the text '?!' counts, as it has no letter or digit" in errors[0]

    def test_another(self, run, tmp_path):
        with pytest.raises(SystemExit):
            run(f"--data={tmp_path}", "--compare=letters")


class TestOwnLexicons:
    def test_the_best_word_is_read(self, evaluate, tmp_path):
        found, errors = evaluate(write_lexicons(tmp_path), options=["--lexicon=own"])
        assert (found["exact_match"], found["count"], errors) == (0.8, 5, [])
        assert [tuple(line.values())[:3] for line in found["worst"]] == [("1.png", "1", "75")]

    def test_without_the_option_they_change_nothing(self, evaluate, tmp_path):
        plain, _ = evaluate(write_data(tmp_path / "plain"))
        assert evaluate(write_lexicons(tmp_path / "lexicons")) == (plain, [])

    def test_models_read_the_same(self, run, evaluate, model, tmp_path):
        data = write_lexicons(tmp_path)
        code, output, errors = run(f"--model={model}", f"--data={data}", "--json", "--lexicon=own")
        expected, _ = evaluate(data, options=["--lexicon=own"])
        assert (code, errors) == (0, [])
        assert {key: json.loads(output)[key] for key in KEYS[:9]} == {key: expected[key] for key in KEYS[:9]}

    def test_cores_read_the_same(self, evaluate, tmp_path):
        labels = {str(number): str(number) for number in range(100, 300)}
        data = write_lexicons(tmp_path, {text: f"{text[::-1]},{text},1" for text in labels}, labels)
        one, two = (evaluate(data, options=["--lexicon=own", f"--cpu={count}"]) for count in (1, 2))
        assert one == two and one[0]["exact_match"] == 1

    def test_case_is_ignored_where_it_does_not_count(self, evaluate, letters_prefix, tmp_path):
        data = write_lexicons(tmp_path, {"вага": "ВЕК,ВАГА"}, {"вага": "Вага"}, LETTERS)
        options = ["--lexicon=own", "--compare=alphanumeric"]
        found, errors = evaluate(data, options=options, prefix=letters_prefix)
        assert (found["exact_match"], errors) == (1, [])
        found, errors = evaluate(data, options=options[:1], prefix=letters_prefix)
        assert (found["exact_match"], len(errors)) == (0, 3)
        assert "1 images say what their lexicons do not have: these count as errors" in errors[1]
        assert "2 words of the lexicons have characters that the alphabet lacks, as 'ВЕК': these are nev" in errors[2]

    def test_words_that_are_too_long(self, evaluate, tmp_path):
        long = "9" * 40
        data = write_lexicons(tmp_path, {"12": f"{long},{long}9"}, {"12": long})
        found, errors = evaluate(data, options=["--lexicon=own"])
        assert (found["worst"][0]["text"], found["worst"][0]["confidence"], errors) == ("", 0, [])

    def test_an_image_without_one_is_left_out(self, evaluate, tmp_path):
        data = write_lexicons(tmp_path, {**LEXICONS, "12": " , "})
        found, errors = evaluate(data, options=["--lexicon=own", "--max-problems=0.2"])
        assert (found["count"], found["skipped"], len(errors)) == (4, 1, 1)
        assert f"{data}/labels.tsv:5: 3.png: it has no lexicon" in errors[0]

    def test_of_iiit5k(self, evaluate, tmp_path):
        entries = []
        for shown, words in ("12", ["21", "11"]), ("31415", ["31415", "7"]):
            write(tmp_path / "test" / f"{shown}.png", shown)
            lexicons = {"smallLexi": cells(words), "mediumLexi": cells([*words, "12"])}
            entries.append({"ImgName": f"test/{shown}.png", "GroundTruth": shown, **lexicons})
        write_mat(tmp_path / "testdata.mat", testdata=structs(*entries))
        small, errors = evaluate(tmp_path, options=["--lexicon=own", "--quiet"])
        medium, _ = evaluate(tmp_path, options=["--lexicon=own-medium", "--quiet"])
        assert (small["exact_match"], medium["exact_match"]) == (0.5, 1)
        assert "1 images say what their lexicons do not have" in errors[0]

    @pytest.mark.parametrize("option", ["--decoder=beam", "--decoder=greedy", "--beam-width=3", r"--pattern=\d"])
    def test_decoders_besides(self, refused, tmp_path, option):
        error = refused(write_lexicons(tmp_path), options=["--lexicon=own", option])
        assert error.endswith(f"--lexicon own scores each word of a lexicon: leave {option.partition('=')[0]} out")

    @pytest.mark.parametrize(
        "lexicon, told",
        [("own", "its images have no lexicons"), ("own-medium", "is no list of IIIT5K, which alone has")],
    )
    def test_that_are_not_there(self, refused, tmp_path, lexicon, told):
        assert told in refused(write_data(tmp_path), options=[f"--lexicon={lexicon}"])

    def test_a_file_of_that_name(self, evaluate, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "own").write_text("12\n")
        found, _ = evaluate(write_data(tmp_path / "data"), options=["--lexicon=./own"])
        assert {line["text"] for line in found["worst"]} == {"12"}


class TestSeveralSets:
    @pytest.fixture
    def sets(self, tmp_path):
        one, other = list(LABELS.items())[:2], list(LABELS.items())[2:]
        return write_data(tmp_path / "one", dict(one)), write_data(tmp_path / "other", dict(other))

    def test_json(self, evaluate, sets, tmp_path):
        found, errors = evaluate(*sets)
        assert (list(found), errors) == (["sets", "all"], [])
        assert [entry.pop("data") for entry in found["sets"]] == [str(path) for path in sets]
        assert found["sets"] == [evaluate(path)[0] for path in sets]
        together, _ = evaluate(write_data(tmp_path / "together"))
        assert found["all"] == pytest.approx({key: together[key] for key in KEYS[:9]})

    def test_text(self, run, prefix, sets):
        code, output, errors = run(f"--prefix={prefix}", *(f"--data={path}" for path in sets))
        heads, *lines = output.splitlines()
        assert (code, errors) == (0, [])
        assert heads.split() == "images skipped exact match letters, digits CER WER".split()
        assert [line.split() for line in lines] == [
            [str(sets[0]), "2", "0", "50.00%", "50.00%", "20.00%", "50.00%"],
            [str(sets[1]), "3", "0", "33.33%", "33.33%", "20.00%", "66.67%"],
            ["all", "images", "5", "0", "40.00%", "40.00%", "20.00%", "60.00%"],
        ]

    def test_html(self, evaluate, sets, tmp_path):
        evaluate(*sets, options=[f"--html={tmp_path}/page.html", "--compare=alphanumeric"])
        found = []
        parser = HTMLParser()
        parser.handle_data = found.append
        parser.feed((tmp_path / "page.html").read_text(encoding="utf-8"))
        assert [found.count(str(path)) for path in sets] == [2, 2], "in the table, and above what is its own"
        assert f"ocr on {sets[0]}, {sets[1]}, --compare alphanumeric" in "".join(found)
        assert found.count("Figures") == found.count("Worst lines") == 2
        assert found.count(FIGURES["wer"][0]) == 2

    def test_of_different_formats_and_options(self, evaluate, sets, tmp_path):
        write(tmp_path / "names" / "7_1.png", "7")
        found, _ = evaluate(sets[0], tmp_path / "names", sets[0], options=["--worst=0", "--quiet"])
        assert [entry["count"] for entry in found["sets"]] == [2, 1, 2]
        assert [entry["worst"] for entry in found["sets"]] == [[], [], []]

    def test_one_that_is_not_there_is_told_first(self, refused, sets, tmp_path):
        (sets[0] / "0.png").write_bytes(b"no image")
        assert refused(*sets, tmp_path / "none").endswith(f"error: {tmp_path}/none: no such file or folder")

    def test_one_that_can_not_be_read(self, refused, sets):
        (sets[1] / "0.png").write_bytes(b"no image")
        assert f"{sets[1]}: 1 of 3 entries can't be used" in refused(*sets)
