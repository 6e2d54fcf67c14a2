"""What is said of an attempt to who may not see the recipient."""

import pytest

from service.api.sight import own_words

ADA = "ada@example.org"


def test_a_recipient_is_masked_in_any_case():
    assert own_words(ADA, "refused", "no mail to ADA@Example.org!") == "no mail to a…@example.org!"


@pytest.mark.parametrize("code", ["503", "550"])
def test_what_a_receiver_said_is_not_shown(code):
    assert own_words(ADA, code, "hello") is None


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_is_nothing(text):
    assert own_words(ADA, "refused", text) is None


def test_a_word_is_masked_where_it_stands_alone_and_not_within_others():
    assert own_words("r", "refused", "no more for r, or user_r") == "no more for r…, or user_r…"


def test_a_name_in_letters_that_know_no_spaces_is_masked_everywhere():
    assert own_words("山田", "refused", "山田様は無効") == "山…様は無効"


def test_without_a_recipient_nothing_is_masked():
    assert own_words("", "refused", "no") == "no"
