"""What is a traceparent, by W3C Trace Context, and what it is written as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.traceparent import read, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"
WRONG = {
    "nothing": "",
    "a word": "traceparent",
    "upper case": GOOD.upper(),
    "version ff": f"ff-{TRACE}-{PARENT}-01",
    "a version that is no number": f"0x-{TRACE}-{PARENT}-01",
    "a trace of zeros": f"00-{'0' * 32}-{PARENT}-01",
    "a parent of zeros": f"00-{TRACE}-{'0' * 16}-01",
    "a trace too short": f"00-{TRACE[1:]}-{PARENT}-01",
    "a trace too long": f"00-{TRACE}0-{PARENT}-01",
    "no flags": f"00-{TRACE}-{PARENT}",
    "half the flags": f"00-{TRACE}-{PARENT}-1",
    "more behind version 00": f"{GOOD}-more",
    "more of a later version, without a dash": f"01-{TRACE}-{PARENT}-01.more",
    "a space before": f" {GOOD}",
    "a space behind": f"{GOOD} ",
    "a line break behind": f"{GOOD}\n",
    "a header behind": f"{GOOD}\r\nx-admin: 1",
    "two": f"{GOOD},{GOOD}",
    "quotation marks": f'"{GOOD}"',
    "other digits": GOOD.replace("0", "\u0660"),
    "NUL": f"00-{TRACE}-{PARENT}-0\0",
    "4 KB": "0" * 4096,
    "4 KB behind a good one": GOOD + "0" * 4096,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_this_is_none(wrong):
    assert read(WRONG[wrong]) is None


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (GOOD, "01"),
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"00-{TRACE}-{PARENT}-03", "03"),  # level 2: the trace's id is random
        (f"00-{TRACE}-{PARENT}-ff", "03"),  # flags without a meaning are passed on as zero
        (f"cc-{TRACE}-{PARENT}-01", "01"),
        (f"01-{TRACE}-{PARENT}-01-what-comes-later", "01"),
        (f"01-{TRACE}-{PARENT}-01-{'0' * 4096}", "01"),
    ],
)
def test_this_is_one_and_is_passed_on_as_version_00(text, flags):
    assert read(text) == f"00-{TRACE}-{PARENT}-{flags}"


def test_it_names_its_trace():
    assert trace_id(GOOD) == TRACE


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"))
def test_whatever_it_reads_it_reads_again_and_is_no_longer(text):
    written = read(text)
    assert written is None or (read(written) == written and len(written) == 55)
