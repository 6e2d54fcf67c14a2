"""Templates: every value is escaped, and one that is missing is an error."""

import re
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from service.text.printable import printable

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def environment(**shared: Any) -> Environment:
    """Make what renders the templates of this package; `shared`: what each of them may show."""
    made = Environment(
        loader=PackageLoader("service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= shared
    made.filters |= {
        "moment": moment,
        "age": age,
        "count": count,
        "plain": plain,
        "sentence": sentence,
        "share": share,
    }
    return made


def moment(at: datetime | None) -> Markup:
    """Show a time: in UTC, until the page's script shows it in the viewer's zone."""
    if at is None:
        return Markup("-")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        utc.isoformat(),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        utc.strftime("%Y-%m-%d %H:%M:%S"),
    )


def sentence(text: str) -> Markup:
    """Show a sentence of the ledger's, with each time in it as moment() shows times."""
    return Markup(MOMENT.sub(as_element, str(escape(plain(text)))))


def as_element(written: re.Match[str]) -> str:
    """Write a time of notify.moment() as an element; what only looks like one stays a text."""
    try:
        at = datetime.strptime(written[0], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return written[0]
    return str(moment(at))


def age(seconds: float | None) -> str:
    """Show a length of time in one unit, or two: "0.4 s", "12 s", "3 min 20 s", "2 d 4 h"."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for size, unit, small, small_unit in (
        (86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"),
    ):  # fmt: skip
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def count(number: int | None) -> str:
    """Show a number with its thousands apart."""
    return "-" if number is None else f"{number:,}"


def share(part: int, whole: int) -> str:
    """Show a part as a percentage, rounded down: "99.99 %" is not all of it."""
    hundredths = 10_000 * part // whole
    return "100 %" if part == whole else f"{hundredths // 100}.{hundredths % 100:02} %"


def plain(text: str | None) -> str:
    """Show a text of others without characters that would move or hide what stands beside it."""
    return "" if text is None else printable(text)
