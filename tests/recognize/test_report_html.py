"""An evaluation as a page, as an HTML parser sees it."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.evaluation import FIGURES, Evaluator
from ocr_lib.recognize.reading import Reading
from ocr_lib.recognize.report_html import html_report
from tests.recognize.evaluations import IMAGE, PAIRS, evaluate


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

    @given(PAIRS, st.text(max_size=20))
    def test_is_whole_whatever_the_texts(self, lines, title):
        Page(html_report(evaluate(*lines), title))
