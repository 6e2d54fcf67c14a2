from workers.slots import Slots


def test_a_slot_is_free_again_when_its_send_has_ended():
    slots = Slots(10, 40)
    slots.take(10)
    assert slots.free(0) == 0
    slots.ended(4)
    assert slots.free(0) == 4


def test_unsettled_sends_stop_the_claims_in_the_end():
    slots = Slots(10, 15)
    for _ in range(2):
        slots.take(7)
        slots.ended(7)
    assert slots.free(0) == 1
    slots.settled(14)
    assert slots.free(0) == 10
