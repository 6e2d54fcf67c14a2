from workers.protocols import KNOWN_MAX, STREAMS, Protocols

HOST = "https://h"


def waiting(count):
    protocols = Protocols()
    assert protocols.may_begin(HOST, 0)
    assert not any(protocols.may_begin(HOST, n) for n in range(1, count))
    return protocols


def test_a_newcomer_has_one_connection_before_others_begin():
    protocols = waiting(3)
    assert protocols.needs_scout(HOST)
    assert protocols.connected(HOST) == [1, 2]
    assert not protocols.needs_scout(HOST)


def test_no_more_begin_on_a_connection_than_it_may_carry_until_somebody_knows():
    protocols = waiting(2 * STREAMS)
    assert protocols.connected(HOST) == list(range(1, STREAMS))
    assert protocols.connected(HOST) == []
    assert not protocols.may_begin(HOST, "late")
    assert protocols.answered(HOST, True) == [*range(STREAMS, 2 * STREAMS), "late"]


def test_who_comes_while_there_is_room_begins_at_once():
    protocols = waiting(1)
    protocols.connected(HOST)
    assert all(protocols.may_begin(HOST, n) for n in range(STREAMS - 1))
    assert not protocols.may_begin(HOST, "late")


def test_an_origin_that_has_answered_holds_nobody_back():
    protocols = waiting(1)
    protocols.answered(HOST, False)
    assert all(protocols.may_begin(HOST, n) for n in range(1000))
    assert protocols._is_h2[HOST] is False


def test_all_begin_when_the_first_one_fails():
    protocols = waiting(3)
    assert protocols.silent(HOST) == [1, 2]
    assert protocols.may_begin(HOST, "next")
    assert protocols.needs_scout(HOST)


def test_another_origin_does_not_wait():
    protocols = waiting(2)
    assert protocols.may_begin("https://other", 0)


def test_what_waits_comes_back_at_the_end():
    protocols = waiting(3)
    assert protocols.clear() == [1, 2]
    assert protocols._newcomers == {}


def test_what_is_known_is_bounded_and_forgets_the_oldest():
    protocols = Protocols()
    for n in range(KNOWN_MAX + 10):
        protocols.answered(f"https://h{n}", True)
    assert len(protocols._is_h2) == KNOWN_MAX
    assert "https://h0" not in protocols._is_h2
