"""When texts count as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recognize.equal_texts import EQUALITIES

EXACT, ALPHANUMERIC = EQUALITIES["exact"], EQUALITIES["alphanumeric"]


@pytest.mark.parametrize(
    "text, key",
    [("You", "you"), ("24/7 OPEN!", "247open"), ("don't", "dont"), ("É", "é"), ("ß", "ss"), ("Їжа", "їжа"), ("&", "")],
)
def test_key(text, key):
    assert (EXACT.key(text), ALPHANUMERIC.key(text)) == (text, key)


def test_spellings():
    assert EXACT.spellings("Don't") == ("Don't",)
    assert ALPHANUMERIC.spellings("McD's") == ("McD's", "mcd's", "MCD'S", "Mcd's", "McDs", "mcds", "MCDS", "Mcds")
    assert ALPHANUMERIC.spellings("24") == ("24",)
    assert ALPHANUMERIC.spellings("&") == ("&",)
    assert ALPHANUMERIC.spellings("ı") == ("ı",)


@given(st.text())
def test_all_spellings_have_one_key(text):
    for equality in EXACT, ALPHANUMERIC:
        assert {*map(equality.key, equality.spellings(text))} <= {equality.key(text)}
