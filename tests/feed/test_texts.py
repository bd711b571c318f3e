"""Texts that are drawn: from words, running text, patterns and the alphabet."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.alphabet import SETS
from ocr_lib.errors import OCRError
from ocr_lib.feed.corpora import CorpusTexts, find_source, read_words
from ocr_lib.feed.texts import SourcedTexts, drawn_characters, source_characters
from ocr_lib.recipe.sources import Corpus, Pattern, Uniform, Words
from ocr_lib.recipe.text import TextRecipe

WORDS = ["one", "two", "three", "Zebra", "queue"]
RUNNING = "It was the best of times, it was the worst of times.\nThere were a king with a large jaw and\n\na queen."


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS))
    return str(path)


@pytest.fixture
def running(tmp_path):
    path = tmp_path / "running.txt"
    path.write_text(RUNNING)
    return str(path)


def recipe(*sources, **changes):
    given = {"alphabet": SETS["ascii"], "min_length": 1, "max_length": 12, "sources": sources, **changes}
    return TextRecipe(**given)


def drawn(recipe, count=300, seed=0, **options):
    return SourcedTexts(recipe, seed, **options)("train", range(count))


class TestWords:
    def test_each_is_as_likely(self, words):
        counts = Counter(drawn(recipe(Words(words)), 2000))
        assert set(counts) == set(WORDS)
        assert all(abs(count - 400) < 4 * np.sqrt(2000 * 0.2 * 0.8) for count in counts.values())

    def test_those_that_do_not_fit_are_left_out_and_counted(self, words):
        texts = SourcedTexts(recipe(Words(words), max_length=4, alphabet="enotw"), 0)
        assert set(texts("train", range(50))) == {"one", "two"} and texts.left_out == {words: 3}
        able = SourcedTexts(recipe(Words(words)), 0, lambda text: "e" not in text)
        assert set(able("train", range(50))) == {"two"} and able.left_out == {words: 4}

    def test_none_that_fits(self, words):
        with pytest.raises(
            OCRError, match=r"words.txt: none of its 5 words is of the alphabet, can be drawn, and has 1 "
        ):
            drawn(recipe(Words(words), alphabet="xyz"))

    def test_rare_characters_are_looked_up(self, tmp_path):
        path = tmp_path / "many.txt"
        path.write_text("".join(f"a{i}\n" for i in range(1000)) + "Q\n")
        plain, looked_up = (drawn(recipe(Words(str(path)), rare=share)).count("Q") for share in (0.0, 1.0))
        assert plain < 3 and looked_up > 10

    def test_labels_in_one_case_are_drawn_in_any(self, words):
        texts = drawn(recipe(Words(words), alphabet=SETS["lower"], case="lower", casing=1.0))
        assert {text.lower() for text in texts} == {word.lower() for word in WORDS}
        assert {"ONE", "one", "One"} <= set(texts)

    def test_casing_and_punctuation_keep_to_alphabet_and_length(self, words):
        changed = recipe(Words(words), casing=0.7, punctuation=0.7, alphabet=SETS["letters"] + ".,()", max_length=6)
        texts = drawn(changed, 600)
        assert set("".join(texts)) <= set(changed.alphabet) and max(map(len, texts)) <= 6
        assert {"one.", "(one)", "TWO", "Three", "zebra"} <= set(texts)
        bare = "".join(drawn(recipe(Words(words), punctuation=1.0, alphabet=SETS["letters"])))
        assert bare.isalpha()


class TestCorpus:
    def test_lines_are_parts_of_it_from_word_to_word(self, running):
        text = " ".join(RUNNING.split())
        lines = drawn(recipe(Corpus(running), min_length=10, max_length=30))
        for line in lines:
            assert line in text and 10 <= len(line) <= 30
            assert re.search(rf"(^|\s){re.escape(line)}(\s|$)", text)
        assert len(set(lines)) > 40

    def test_words_of_other_characters_are_left_out(self, running):
        lines = drawn(recipe(Corpus(running), alphabet=SETS["lower"] + " ", max_length=30))
        assert set("".join(lines)) <= set(SETS["lower"] + " ")

    def test_without_a_space_lines_are_words(self, running):
        assert set(drawn(recipe(Corpus(running), alphabet=SETS["letters"]), 500)) <= set(RUNNING.split())

    def test_a_run_has_lines_of_one_length(self, tmp_path):
        running = str(tmp_path / "long.txt")
        (tmp_path / "long.txt").write_text(RUNNING * 20)
        lines = drawn(recipe(Corpus(running), min_length=5, max_length=60), 400, run=8)
        spread = [np.ptp([len(line) for line in lines[i : i + 8]]) for i in range(0, 400, 8)]
        apart = [np.ptp([len(line) for line in lines[i:400:50]]) for i in range(50)]
        assert np.median(spread) < 12 < 30 < np.median(apart)

    @settings(max_examples=200)
    @given(
        st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=30),
        st.integers(1, 20),
        st.integers(0, 30),
        st.sampled_from([0.0, 1.0]),
        st.integers(0, 2**32),
    )
    def test_any_words_make_lines_of_whole_words_that_are_not_too_long(self, words, least, more, rare, seed):
        most = max(9, least + more)
        texts = CorpusTexts(words, least, most, rare)
        random = np.random.default_rng(seed)
        text = " ".join(words)
        for length in 0.0, 0.5, 0.999:
            line = texts.draw(random, length)
            assert f" {line} " in f" {text} " and len(line) <= most
            # A line is shorter only if there is no more text, or the next word would make it too long.
            assert len(line) >= min(least, len(text)) or len(line) + 1 + max(map(len, words)) > most


class TestMixture:
    def test_weights(self, words):
        mixed = recipe(Words(words, 3.0), Pattern(r"\d{2}", 1.0))
        assert np.mean([text.isdigit() for text in drawn(mixed, 2000)]) == pytest.approx(0.25, abs=0.04)

    def test_uniform_texts_and_patterns(self):
        texts = drawn(recipe(Uniform(), alphabet="xy z", min_length=2, max_length=3), 500)
        assert {len(text) for text in texts} == {2, 3} and set("".join(texts)) == set("xy z")
        assert not any(text != text.strip() for text in texts)
        assert all(re.fullmatch("[A-Z]{2}-[0-9]{3,4}", text) for text in drawn(recipe(Pattern(r"[A-Z]{2}-\d{3,4}"))))

    def test_a_pattern_that_matches_nothing(self):
        with pytest.raises(OCRError, match="matches no text over the alphabet"):
            drawn(recipe(Pattern("[A-Z]"), alphabet="abc"))
        with pytest.raises(OCRError, match="no text of the pattern has 1 to 2 characters"):
            drawn(recipe(Pattern("aaaa"), max_length=2))

    @settings(max_examples=20)
    @given(st.integers(0, 2**62), st.integers(0, 2**40), st.integers(1, 20))
    def test_each_text_is_a_function_of_seed_split_and_index(self, seed, start, count):
        texts = SourcedTexts(recipe(Pattern("[a-z]{1,9}"), Uniform()), seed)
        indices = range(start, start + count)
        whole = texts("train", indices)
        assert whole == [texts("train", [index])[0] for index in indices]
        assert SourcedTexts(recipe(Pattern("[a-z]{1,9}"), Uniform()), seed)("train", indices) == whole

    def test_splits_and_seeds_differ(self):
        made = recipe(Pattern("[a-z]{9}"))
        texts = [tuple(SourcedTexts(made, seed)(split, range(5))) for seed in (0, 1) for split in ("train", "test")]
        assert len(set(texts)) == 4


class TestFiles:
    def test_their_kind(self, words, running):
        assert find_source(words) == Words(words) and find_source(running) == Corpus(running)

    def test_white_space_and_encodings(self, tmp_path):
        path = tmp_path / "w.txt"
        path.write_bytes("one\r\n\r\n  two \t three\r\ne\u0301\r\n".encode("utf-16"))
        assert read_words(str(path)) == ("one", "two three", "\u00e9")

    @pytest.mark.parametrize(
        "content, error",
        [
            (b"", "texts .*w.txt: the file has no text; give it one a line"),
            (b"\n \n", "texts .*w.txt: the file has no text; give it one a line"),
            (b"ok\n\xff\xfe\xfd", "texts .*w.txt: line 2 is not UTF-8"),
            (b"ok\na\x07b", r"texts .*w.txt: line 2: the label has the control character U\+0007"),
            (None, "texts .*w.txt: No such file"),
        ],
    )
    def test_those_that_are_none(self, tmp_path, content, error):
        path = tmp_path / "w.txt"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(OCRError, match=error):
            find_source(str(path))


def test_the_characters_of_sources(words, running):
    assert source_characters(recipe(Words(words))) == "Zabehnoqrtuw"
    assert source_characters(recipe(Words(words), case="lower")) == "abehnoqrtuwz"
    assert " " in source_characters(recipe(Corpus(running)))
    assert source_characters(recipe(Pattern(r"\d|[xX]"), Uniform(), alphabet="#")) == "#0123456789Xx"
    assert set(drawn_characters(recipe(Words(words), alphabet="abz", case="lower"))) == set("abzABZ")
