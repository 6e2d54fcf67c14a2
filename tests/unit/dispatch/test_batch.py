import asyncio

import pytest

from service.dispatch.batch import Batch
from service.errors import TookTooLong


def asked(batch, most):
    """Ask once; a call of more than `most` rows takes too long. Returns the sizes."""
    sizes = []

    async def call(size):
        sizes.append(size)
        if size > most:
            raise TookTooLong("canceling statement due to statement timeout")
        return size

    assert asyncio.run(batch.ask(call)) == sizes[-1]
    return sizes


def test_what_takes_too_long_is_asked_again_with_a_quarter_and_grows_again():
    batch = Batch(1000)
    assert asked(batch, 1000) == [1000]
    assert asked(batch, 100) == [1000, 250, 62]
    assert asked(batch, 1000) == [124]
    assert [asked(batch, 1000) for _ in range(4)] == [[248], [496], [992], [1000]]


def test_where_not_even_one_row_comes_in_time_it_fails():
    with pytest.raises(TookTooLong):
        asked(Batch(10), 0)
