"""How the size of a batch falls where PostgreSQL is slow, and rises again."""

from service.process.batch_size import BatchSize


def test_after_a_call_that_took_too_long_it_is_a_quarter_of_that_call():
    size = BatchSize(1000, growth=2)
    size.took_too_long(1000)
    assert size.rows == 250
    size.took_too_long(40)
    assert size.rows == 10


def test_it_is_never_less_than_one():
    size = BatchSize(1000, growth=2)
    size.took_too_long(3)
    assert size.rows == 1


def test_it_grows_with_each_answer_up_to_the_most():
    size = BatchSize(100, growth=4)
    size.took_too_long(20)
    sizes = []
    for _ in range(4):
        size.answered()
        sizes.append(size.rows)
    assert sizes == [20, 80, 100, 100]
