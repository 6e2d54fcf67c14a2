"""What a parent and a child tell each other."""

import pytest

from service.process.link import PAGE, REFUSAL, framed, unframed

WORDS = [(PAGE, "a 1.0\n"), (REFUSAL, "ä" * 100), (PAGE, "")]


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_what_comes_in_pieces_is_taken_when_it_is_whole(step):
    data = b"".join(framed(kind, text) for kind, text in WORDS)
    buffer, found = bytearray(), []
    for start in range(0, len(data), step):
        buffer += data[start : start + step]
        found += unframed(buffer)
    assert found == WORDS
    assert not buffer


def test_what_is_not_whole_stays():
    buffer = bytearray(framed(PAGE, "text")[:-1])
    assert list(unframed(buffer)) == []
    assert len(buffer) == len(framed(PAGE, "text")) - 1
