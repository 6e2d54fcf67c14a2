"""The parameters of a query: parsed together, and refused together."""

from collections.abc import Callable, Mapping
from typing import Any

from multidict import MultiMapping

from service.http.problems import Fault, invalid

# Per name: a sentence that says what to give, and what reads the value (it raises ValueError).
Parameters = Mapping[str, tuple[str, Callable[[str], Any]]]


def parameters(query: MultiMapping[str], allowed: Parameters) -> dict[str, Any]:
    """Parse the query; an empty value counts as not given. Raises Problem with every fault."""
    values: dict[str, Any] = {}
    faults = []
    for name, text in query.items():
        if name not in allowed:
            faults.append(Fault("unknown_parameter", "There is no such parameter.", parameter=name))
            continue
        sentence, parse = allowed[name]
        try:
            if text:
                values[name] = parse(only_value(query, name))
        except ValueError:
            faults.append(Fault("invalid_parameter", sentence, parameter=name))
    if faults:
        raise invalid(faults)
    return values


def only_value(query: MultiMapping[str], name: str) -> str:
    """Return the only value of a parameter."""
    [text] = query.getall(name)
    return text
