"""Evaluations of several data sets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.evaluations import Evaluations
from ocr_lib.recognize.report_html import html_report
from tests.recognize.evaluations import PAIRS, evaluate


@given(st.lists(PAIRS, min_size=1, max_size=4))
def test_all_are_as_if_in_one_set(sets):
    found = Evaluations([(f"set {number}", evaluate(*lines)) for number, lines in enumerate(sets)])
    together = evaluate(*(line for lines in sets for line in lines))
    assert found.figures == pytest.approx(together.figures)
    assert (found.count, found.skipped) == (together.count, 0)


def test_a_rate_of_errors_over_no_characters():
    found = Evaluations([("a", evaluate(("", "x"))), ("b", evaluate(("", "")))])
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert (told["all"]["cer"], told["sets"][0]["cer"], told["sets"][1]["cer"]) == (None, None, 0)
    assert "inf%" in found.as_text()


def test_skipped_ones_are_added_up():
    found = Evaluations([("a", evaluate(("x", "x"), skipped=2)), ("b", evaluate(("x", "y"), skipped=3))])
    assert (found.count, found.skipped, found.as_json()["all"]["exact_match"]) == (2, 5, 0.5)


def test_names_are_shown_as_they_are():
    page = html_report(Evaluations([("<b>&", evaluate(("x", "x")))]), "title")
    assert "<b>" not in page and page.count("&lt;b&gt;&amp;") == 2
