"""Evaluations against cases counted by hand and a plain dynamic programme; the page as an HTML parser sees it."""

import base64
import json
import math
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.recognize.evaluation import (
    FIGURES,
    Confusion,
    Evaluator,
    Group,
    confusions,
    length_step,
    range_of,
    visible,
)
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.report_html import html_report

KEYS = [
    *("exact_match", "exact_match_ci", "exact_match_alnum_ci", "cer", "cer_line", "wer", "lcs", "count", "skipped"),
    *("confusions", "by_length", "by_confidence", "worst"),
]
IMAGE = np.full((3, 5), 255, np.uint8)
TEXTS = st.text("abAB -\u00e9\u0301\u05d0\U0001f600<&", max_size=10)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS, st.floats(0, 1)), min_size=1, max_size=12)


def evaluator_of(*lines, num_worst=20):
    """Take in lines, (reference, text, confidence, image), of which the last two may be left out."""
    evaluator = Evaluator(num_worst)
    for index, (reference, text, *rest) in enumerate(lines):
        confidence, image = [*rest, *(0.5, IMAGE)[len(rest) :]]
        evaluator.add(f"{index}.png", reference, Reading(text, confidence, np.zeros((1, 2)), ()), image)
    return evaluator


def evaluate(*lines, skipped=0, **options):
    return evaluator_of(*lines, **options).evaluation(skipped)


def plain_edits(left, right):
    table = [[i + j for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = min(table[i][j] + (a != b), table[i][j + 1] + 1, table[i + 1][j] + 1)
    return table[-1][-1]


class TestFigures:
    @pytest.mark.parametrize(
        "lines, expected",
        [
            ([("a", "a")], (1, 1, 1, 0, 0, 0, 1)),
            ([("a", "b")], (0, 0, 0, 1, 1, 1, 0)),
            ([("a", "")], (0, 0, 0, 1, 1, 1, 0)),
            ([("a", "aaaa")], (0, 0, 0, 3, 3 / 4, 1, 1)),
            ([("", "")], (1, 1, 1, 0, 0, 0, 1)),
            ([("Ab c", "ab C")], (0, 1, 1, 2 / 4, 2 / 4, 1, 2 / 4)),
            ([("a-b", "A b")], (0, 0, 1, 2 / 3, 2 / 3, 2, 1 / 3)),
            (
                [("1234", "1234"), ("1", "2"), ("AB", "ab"), ("x.", "X")],
                (1 / 4, 2 / 4, 3 / 4, 5 / 9, 3 / 4, 3 / 4, 1 / 4),
            ),
            ([("one two three", "one tow three"), ("four", "four")], (1 / 2,) * 3 + (2 / 17, 1 / 13, 1 / 4, 25 / 26)),
        ],
    )
    def test_of_cases(self, lines, expected):
        figures = evaluate(*lines).figures
        assert list(figures) == KEYS[:7]
        assert list(figures.values()) == pytest.approx(list(expected))

    def test_nothing_read_is_refused(self):
        for evaluator in (Evaluator(), evaluator_of()):
            with pytest.raises(ValueError, match="no texts"):
                evaluator.evaluation(skipped=3)

    def test_may_be_asked_amidst(self):
        evaluator = evaluator_of(("a", "a"))
        assert evaluator.evaluation().figures["exact_match"] == 1
        evaluator.add("b", "b", Reading("c", 0.5, IMAGE, ()), IMAGE)
        found = evaluator.evaluation(2)
        assert (found.figures["exact_match"], found.count, found.skipped) == (0.5, 2, 2)

    @settings(deadline=None)
    @given(PAIRS)
    def test_against_a_dynamic_programme(self, lines):
        found = evaluate(*lines)
        edits = [plain_edits(reference, text) for reference, text, _ in lines]
        longest = [max(len(reference), len(text), 1) for reference, text, _ in lines]
        assert found.figures["cer_line"] == pytest.approx(np.mean(np.divide(edits, longest)))
        total = sum(len(reference) for reference, _, _ in lines)
        assert found.figures["cer"] == pytest.approx(sum(edits) / total if total else math.inf if sum(edits) else 0)
        assert sum(confusion.count for confusion in found.confusions) == sum(edits)
        assert {line.name: line.edits for line in found.worst} == {f"{i}.png": e for i, e in enumerate(edits) if e}

    @settings(deadline=None)
    @given(PAIRS)
    def test_ranges(self, lines):
        figures = evaluate(*lines).figures
        assert all(figure >= 0 for figure in figures.values())
        assert all(figures[name] <= 1 for name in KEYS[:7] if name not in ("cer", "wer"))
        assert figures["exact_match"] <= figures["exact_match_ci"] <= figures["exact_match_alnum_ci"]
        assert figures["exact_match"] <= 1 - figures["cer_line"] + 1e-9

    @settings(deadline=None)
    @given(st.lists(TEXTS, min_size=1, max_size=8))
    def test_identical_texts(self, texts):
        found = evaluate(*((text, text) for text in texts))
        assert list(found.figures.values()) == [1, 1, 1, 0, 0, 0, 1]
        assert (found.confusions, found.worst) == ([], [])


class TestConfusions:
    @pytest.mark.parametrize(
        "pairs, expected",
        [
            ([], []),
            ([("a", "a")], []),
            ([("a", "b")], [("a", "b", 1)]),
            ([("a", "")], [("a", "", 1)]),
            ([("", "a")], [("", "a", 1)]),
            ([("10", "1O0")], [("", "O", 1)]),
            ([("100", "1O0"), ("0", "O"), ("7", "1")], [("0", "O", 2), ("7", "1", 1)]),
            (
                [("c", "d"), ("b", "x"), ("a", ""), ("b", ""), ("", "z")],
                [("", "z", 1), ("a", "", 1), ("b", "", 1), ("b", "x", 1), ("c", "d", 1)],
            ),
        ],
    )
    def test_of_cases(self, pairs, expected):
        found = confusions([reference for reference, _ in pairs], [text for _, text in pairs])
        assert found == [Confusion(*entry) for entry in expected]

    @settings(deadline=None)
    @given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.randoms())
    def test_order_of_lines_does_not_matter(self, pairs, rng):
        shuffled = rng.sample(pairs, len(pairs))
        found, again = (confusions([r for r, _ in some], [t for _, t in some]) for some in (pairs, shuffled))
        assert found == again
        counts = [confusion.count for confusion in found]
        assert counts == sorted(counts, reverse=True)
        assert all(confusion.reference != confusion.read for confusion in found)

    @pytest.mark.parametrize(
        "character, shown",
        [
            *(("a", "a"), ("", "nothing"), (" ", "␣"), ("\u00a0", "U+00A0"), ("\u200f", "U+200F")),
            *(("\u0301", "◌\u0301"), ("\u093f", "◌\u093f"), ("א", "א"), ("<", "<"), ("\u3000", "U+3000")),
        ],
    )
    def test_a_character_alone_is_visible(self, character, shown):
        assert visible(character) == shown


class TestWorst:
    def names(self, *lines, **options):
        return [line.name for line in evaluate(*lines, **options).worst]

    def test_most_edits_for_the_length_come_first(self):
        lines = [("1234", "1235"), ("12", "13"), ("1", "1"), ("5", "6"), ("12", "1299")]
        assert self.names(*lines) == ["3.png", "1.png", "4.png", "0.png"]

    def test_of_equal_ones_the_less_confident_then_the_earlier(self):
        lines = [("1", "2", 0.5), ("1", "2", 0.2), ("1", "2", 0.9), ("1", "2", 0.2)]
        assert self.names(*lines) == ["1.png", "3.png", "0.png", "2.png"]

    @settings(deadline=None)
    @given(PAIRS, st.integers(0, 4))
    def test_only_so_many_are_kept(self, lines, num_worst):
        assert self.names(*lines, num_worst=num_worst) == self.names(*lines, num_worst=100)[:num_worst]

    def test_keeps_what_was_read(self):
        (line,) = evaluate(("1", "1"), ("12", "1", 0.25, IMAGE + 1)).worst
        assert line[:5] == ("1.png", "12", "1", 0.25, 1)
        assert np.array_equal(line.image, IMAGE + 1)

    @pytest.mark.parametrize(
        "shape, kept",
        [
            ((120, 800), (120, 800)),
            ((240, 800), (120, 400)),
            ((120, 1600), (60, 800)),
            ((1, 9000), (1, 800)),
            ((9000, 1), (120, 1)),
        ],
    )
    def test_large_images_are_kept_small(self, shape, kept):
        (line,) = evaluate(("a", "b", 0.5, np.full(shape, 77, np.uint8))).worst
        assert line.image.shape == kept
        assert (line.image == 77).all()


class TestGroups:
    def test_by_length(self):
        found = evaluate(("1", "1"), ("1234", "1234"), ("4", "5"), ("1234", "12345"), ("", "7"))
        assert found.by_length == [
            Group(0, 0, 1, 0, math.inf),
            Group(1, 1, 2, 0.5, 0.5),
            Group(4, 4, 2, 0.5, 1 / 8),
        ]

    @pytest.mark.parametrize(
        "longest, step", [(0, 1), (1, 1), (11, 1), (12, 2), (23, 2), (24, 5), (59, 5), (60, 10), (119, 10), (1200, 200)]
    )
    def test_few_groups_of_many_lengths(self, longest, step):
        assert length_step(longest) == step

    def test_long_lines_share_a_group(self):
        found = evaluate(*(("1" * length, "1" * length) for length in range(1, 25)))
        limits = [(group.low, group.high, group.count) for group in found.by_length]
        assert limits == [(0, 4, 4), (5, 9, 5), (10, 14, 5), (15, 19, 5), (20, 24, 5)]

    @pytest.mark.parametrize(
        "confidence, low, high",
        [
            *((0, 0, 0.5), (0.49, 0, 0.5), (0.5, 0.5, 0.7), (0.75, 0.7, 0.8), (0.8, 0.8, 0.9), (0.9, 0.9, 0.95)),
            *((0.95, 0.95, 0.99), (0.98, 0.95, 0.99), (0.99, 0.99, 1), (1, 0.99, 1)),
        ],
    )
    def test_by_confidence(self, confidence, low, high):
        assert evaluate(("12", "13", confidence)).by_confidence == [Group(low, high, 1, 0, 0.5)]

    @settings(deadline=None)
    @given(PAIRS)
    def test_every_line_is_in_one(self, lines):
        found = evaluate(*lines)
        for groups in (found.by_length, found.by_confidence):
            assert sum(group.count for group in groups) == len(lines)
            right = sum(group.count * group.exact_match for group in groups)
            assert right == pytest.approx(found.figures["exact_match"] * len(lines))
            assert [group.low for group in groups] == sorted({group.low for group in groups})

    def test_in_words(self):
        assert [range_of(Group(*limits, 1, 1, 0)) for limits in [(4, 4), (5, 9), (0.95, 0.99)]] == [
            *("4", "5–9", "0.95–0.99")
        ]


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

    @settings(deadline=None)
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


class Page(HTMLParser):
    """Checks that elements nest, and gathers them and the text."""

    VOID = ("meta", "img")

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


NASTY = [
    "<script>alert(1)</script>",
    "&amp; &",
    "\"'",
    "שלום",
    "e\u0301\u0323",
    "\u202eabc",
    "{0} {title}",
    "</bdi></td>",
]


class TestHTML:
    @pytest.mark.parametrize("nasty", NASTY)
    def test_texts_are_shown_as_they_are(self, nasty):
        evaluator = Evaluator()
        evaluator.add(nasty, nasty, Reading("", 0.5, IMAGE, ()), IMAGE)
        evaluator.add("b", "a", Reading(nasty, 0.5, IMAGE, ()), IMAGE)
        page = Page(html_report(evaluator.evaluation(), nasty))
        assert not page.all("script")
        assert page.text.count(nasty) >= 4, "title, heading, name, and text of the first line"
        assert {tag for tag, _ in page.elements} <= set(
            "html head meta title style body main h1 h2 p table thead tbody tr th td span div bdi mark img".split()
        )

    def test_needs_nothing_else(self):
        source = html_report(evaluate(("1", "2"), ("a b", "ab")), "runs/ocr on data")
        page = Page(source)
        assert source.startswith("<!DOCTYPE html>")
        assert not re.search(r"https?://|url\(|@import|<link|<script|\bon\w+=", source)
        assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
        assert any("default-src 'none'" in meta.get("content", "") for meta in page.all("meta"))
        assert "prefers-color-scheme: dark" in source

    def test_has_the_images_of_the_worst_lines(self):
        image = np.arange(15, dtype=np.uint8).reshape(3, 5)
        page = Page(html_report(evaluate(("1", "2", 0.5, image), ("3", "3")), "title"))
        (found,) = page.all("img")
        data = np.frombuffer(base64.b64decode(found["src"].partition(",")[2]), np.uint8)
        assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), image)
        assert (found["width"], found["height"]) == ("5", "3")

    def test_tells_figures_with_bars(self):
        found = evaluate(("10", "1O"), ("1", "1"), ("", "1"), skipped=4)
        page = Page(html_report(found, "title"))
        assert "3 images read, 4 skipped" in page.text
        assert all(label in page.text for label, _ in FIGURES.values())
        widths = [float(span["style"][len("width: ") : -1]) for span in page.all("span") if "style" in span]
        assert len(widths) == len(FIGURES) + len(found.by_length) + len(found.by_confidence) + len(found.confusions)
        assert all(0 <= width <= 100 for width in widths)

    def test_errors_are_marked_and_spaces_seen(self):
        source = html_report(evaluate(("a bc", "abd")), "title")
        assert "<bdi>a<mark> </mark>b<mark>c</mark></bdi>" in source
        assert "<bdi>ab<mark>d</mark></bdi>" in source
        assert "<bdi>␣</bdi>" in source
        assert "<bdi>nothing</bdi>" in source

    def test_without_errors_has_no_tables_of_them(self):
        page = Page(html_report(evaluate(("1", "1")), "title"))
        assert len(page.all("table")) == 3

    def test_of_many_confusions_shows_the_first(self):
        page = Page(html_report(evaluate(*((chr(0x4E00 + i), "x") for i in range(53)), num_worst=0), "title"))
        assert "and 3 other kinds" in page.text
        assert not page.all("img")

    @settings(deadline=None)
    @given(PAIRS, st.text(max_size=20))
    def test_is_whole_whatever_the_texts(self, lines, title):
        Page(html_report(evaluate(*lines), title))
