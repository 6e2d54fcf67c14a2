"""Which claims of an inbox begin first."""

from itertools import islice

from tests.unit.workers.claims import a_claim
from workers.inbox import FAIR_EVERY, Inbox


def put(inbox, first, last, *, is_urgent=False):
    inbox.put([a_claim(id=str(n)) for n in range(first, last)], is_urgent=is_urgent)


def taken(inbox, count):
    return [int(claim.id) for claim in islice(inbox.emptied(), count)]


def test_urgent_ones_begin_first_and_all_in_the_order_they_came():
    inbox = Inbox()
    put(inbox, 0, 3)
    put(inbox, 100, 102, is_urgent=True)
    put(inbox, 102, 104, is_urgent=True)
    assert taken(inbox, 9) == [100, 101, 102, 103, 0, 1, 2]
    assert not inbox


def test_urgent_ones_that_never_end_hold_up_neither_the_others_nor_the_first_of_them():
    inbox = Inbox()
    put(inbox, 0, 10)
    put(inbox, 1000, 1256, is_urgent=True)
    begun = []
    for number in range(10):  # as many come as begin
        begun += taken(inbox, 32)
        put(inbox, 2000 + 32 * number, 2032 + 32 * number, is_urgent=True)
    assert [n for n in begun if n < 1000] == [*range(10)]
    assert begun[FAIR_EVERY - 1 : 10 * FAIR_EVERY : FAIR_EVERY] == [*range(10)]
    urgent = [n for n in begun if n >= 1000]
    assert urgent[:256] == [*range(1000, 1256)]
    assert urgent == sorted(urgent)


def test_an_inbox_of_one_kind_is_a_queue():
    for is_urgent in (False, True):
        inbox = Inbox()
        put(inbox, 0, 50, is_urgent=is_urgent)
        assert taken(inbox, 99) == [*range(50)]
