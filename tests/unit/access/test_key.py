"""A key of a request: exactly one, in one header, or none."""

import re

import pytest

from service.access.key import KEY, Secret, brought, minted

SECRET = minted()


def test_a_key_has_256_random_bits_and_no_two_are_alike():
    made = {minted() for _ in range(200)}
    assert len(made) == len({key.id for key in made}) == len({key.secret for key in made}) == 200
    assert all(KEY.fullmatch(str(key)) for key in made)
    assert all(len(key.secret) * 5 >= 256 for key in made)
    assert not re.search("[ilou]", "".join(key.secret + key.id for key in made))


def test_what_shows_a_key_shows_no_secret():
    assert SECRET.secret not in repr(SECRET)
    assert SECRET.secret not in repr([SECRET])
    assert SECRET.secret not in repr(SECRET.sha256)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER "])
def test_the_scheme_is_read_in_any_case(scheme):
    assert brought([f"{scheme} {SECRET}"]) == SECRET


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [str(SECRET)],
        [f"Basic {SECRET}"],
        [f"Bearer {SECRET} "],
        [f" Bearer {SECRET}"],
        [f"Bearer\t{SECRET}"],
        [f"Bearer {SECRET}, Bearer {SECRET}"],
        [f"Bearer {SECRET}", f"Bearer {SECRET}"],
        [f"Bearer {str(SECRET).upper()}"],
        [f"Bearer NK_{SECRET.id}_{SECRET.secret}"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret[:-1]}"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret}0"],
        [f"Bearer nk_{SECRET.id[:-1]}_{SECRET.secret}"],
        [f"Bearer nk_{SECRET.id}%5f{SECRET.secret}"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret[:-1]}%30"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret[:-1]}\uff10"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret[:-1]}\udcff"],
        [f"Bearer nk_{SECRET.id}_{SECRET.secret}\n"],
        [f"\u017fearer {SECRET}"],
        ["Bearer " + "a" * 8000],
    ],
)
def test_anything_else_is_no_key(headers):
    assert brought(headers) is None


def test_only_the_secret_makes_the_hash():
    assert Secret("a", SECRET.secret).sha256 == SECRET.sha256
    assert Secret(SECRET.id, SECRET.secret[::-1] + "x").sha256 != SECRET.sha256
