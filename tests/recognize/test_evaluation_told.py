"""An evaluation as an object for JSON, and as text."""

import json

import pytest
from hypothesis import given

from ocr_lib.recognize.evaluation import FIGURES
from tests.recognize.evaluations import KEYS, PAIRS, evaluate


class TestJSON:
    def test_has_these_keys_and_values(self):
        found = evaluate(("10", "1O", 0.25), ("1", "1", 0.995), skipped=2).as_json()
        assert list(found) == KEYS
        assert found == {
            **dict.fromkeys(("exact_match", "exact_match_ci", "exact_match_alnum_ci", "wer"), 0.5),
            "cer": pytest.approx(1 / 3),
            "cer_line": 0.25,
            "lcs": 0.75,
            "count": 2,
            "skipped": 2,
            "confusions": [{"reference": "0", "read": "O", "count": 1}],
            "by_length": [
                {"from": 1, "to": 1, "count": 1, "exact_match": 1, "cer": 0},
                {"from": 2, "to": 2, "count": 1, "exact_match": 0, "cer": 0.5},
            ],
            "by_confidence": [
                {"from": 0, "to": 0.5, "count": 1, "exact_match": 0, "cer": 0.5},
                {"from": 0.99, "to": 1, "count": 1, "exact_match": 1, "cer": 0},
            ],
            "worst": [{"name": "0.png", "reference": "10", "text": "1O", "confidence": 0.25, "edits": 1}],
        }

    @given(PAIRS)
    def test_is_json(self, lines):
        found = evaluate(*lines).as_json()
        assert json.loads(json.dumps(found, allow_nan=False)) == found

    def test_a_rate_over_nothing_is_null(self):
        found = evaluate(("", "1")).as_json()
        assert (found["cer"], found["wer"], found["by_length"][0]["cer"]) == (None, None, None)


class TestText:
    def test_tells_all(self):
        lines = [("10", "1O", 0.25), ("1", "1", 0.995), ("a b", "ab", 0.75), ("7", "7.", 0.9), ("", "", 1)]
        lines = evaluate(*lines, skipped=3).as_text().splitlines()
        assert lines[0] == "5 images read, 3 skipped"
        for label, _ in FIGURES.values():
            assert sum(line.startswith(f"{label}  ") for line in lines) == 1
        assert [line.split() for line in lines if line.startswith(("exact match  ", "2  ", "0.7–"))] == [
            *(["exact", "match", "40.00%"], ["2", "1", "0.00%", "50.00%"], ["0.7–0.8", "1", "0.00%", "33.33%"])
        ]
        errors = [line.strip() for line in lines[lines.index("most frequent errors") + 1 :][:3]]
        assert errors == ["1  . added", "1  ␣ missed", "1  0 read as O"]
        worst = lines[lines.index("worst lines") + 1 :]
        assert worst[:3] == ["  0.png: edits 1, confidence 0.2500", "    text  10", "    read  1O"]
        assert len(worst) == 9

    def test_says_nothing_of_errors_where_there_are_none(self):
        text = evaluate(("1", "1")).as_text()
        assert "errors" not in text.replace("error rate", "") and "worst" not in text

    def test_of_many_errors_tells_the_first(self):
        text = evaluate(*((chr(0x4E00 + i), "x") for i in range(25))).as_text()
        assert text.count(" read as x") == 20
        assert "and 5 other kinds" in text
