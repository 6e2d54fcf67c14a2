"""`notify pause`, `notify resume` and `notify pauses`: what is not sent for now."""

import argparse
from typing import Any

from service.cli.address import base_url
from service.cli.options import entered, spelled
from service.cli.output import is_json, say, show
from service.cli.reading import shaped
from service.errors import ConfigError, NotifyError
from service.names.origin import origin

KINDS = ("destination", "channel", "producer")
FIELDS = ("id", "kind", "name", "channel", "waiting")
TYPED = spelled({"reason": "reason", "channel": "channel"})


def pause(args: argparse.Namespace) -> int:
    """Pause what the options name; it stays paused if it was."""
    from service.cli import client

    wanted = named(args)
    if wanted is None:
        raise ConfigError("pause what? Give --destination, --channel or --producer")
    body = wanted | entered(args, {"reason": "reason"})
    typed = TYPED | {"/name": f"--{wanted['kind']}"}
    answer = shaped(client.pause(base_url(args), body, typed), *FIELDS)
    return told(args, answer, f"paused: {title(answer)}; to end it: notify resume {answer['id']}")


def resume(args: argparse.Namespace) -> int:
    """End a pause, by its ID or by what is paused."""
    from service.cli import client

    base, wanted = base_url(args), named(args)
    if (args.id is None) == (wanted is None):
        raise ConfigError("resume what? Give an ID, or --destination, --channel or --producer")
    id = args.id if wanted is None else id_of(base, wanted)
    answer = shaped(client.resume(base, id), *FIELDS)
    return told(args, answer, f"resumed: {title(answer)}; {answer['waiting']} come back")


def pauses(args: argparse.Namespace) -> int:
    """List what is paused, newest first."""
    from service.cli import client

    answer = shaped(client.pauses(base_url(args)), "items")
    if is_json(args):
        show(answer)
    else:
        say(line(item) for item in answer["items"])
    return 0


def named(args: argparse.Namespace) -> dict[str, Any] | None:
    """Return what the options name, as fields of POST /pauses; None: nothing."""
    given = {kind: value for kind in KINDS if (value := getattr(args, kind)) is not None}
    channel = given.pop("channel", None)
    if len(given) > 1 or ("producer" in given and channel):
        raise ConfigError("name one: --destination (with its --channel), --channel or --producer")
    if "destination" in given:
        of_channel = {"channel": channel} if channel else {}
        return {"kind": "destination", "name": given["destination"]} | of_channel
    if given:
        return {"kind": "producer", "name": given["producer"]}
    return {"kind": "channel", "name": channel} if channel else None


def id_of(base: str, wanted: dict[str, Any]) -> str:
    """Look up the pause in force that is called so. Raises NotifyError if there is none."""
    from service.cli import client

    name = wanted["name"]
    if wanted["kind"] == "destination":
        name = origin(name) or name.rpartition("@")[2].rstrip(".").lower()
    wanted = wanted | {"name": name, "resumed_at": None}
    for item in shaped(client.pauses(base), "items")["items"]:
        if all(item.get(field) == value for field, value in wanted.items()):
            return str(item["id"])
    raise NotifyError(f"{wanted['kind']} {wanted['name']} is not paused: see notify pauses")


def told(args: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
    """Print one pause."""
    if is_json(args):
        show(answer)
    else:
        say([text])
    return 0


def title(item: dict[str, Any]) -> str:
    """Name what is paused."""
    of_channel = f" ({item['channel']})" if item.get("channel") else ""
    return f"{item.get('kind')} {item.get('name')}{of_channel}"


def line(item: dict[str, Any]) -> str:
    """Describe a pause in a line."""
    since = str(item.get("paused_at"))[:19].replace("T", " ")
    parts = [f"{item.get('id'):>5}", title(item), f"since {since}", f"by {item.get('paused_by')}"]
    if item.get("waiting") is not None:
        parts.append(f"{item['waiting']} wait")
    if item.get("resumed_at"):
        parts.append("resumed: they come back")
    return "  ".join([*parts, *filter(None, [item.get("reason")])])
