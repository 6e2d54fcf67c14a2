"""Examples of requests in the languages that people paste, made of the OpenAPI document itself.

They are its `x-codeSamples`, which many tools show. Where the service is, and the key, stay out of
them: they are read from NOTIFY_URL and NOTIFY_KEY, and the database from DATABASE_URL.
"""

import json
import shlex
from pprint import pformat
from typing import Any

import msgspec

from service.api.examples import ID

Operation = dict[str, Any]
OF_SEND = ("channel", "recipient", "payload", "reference", "priority", "send_at", "expires_at",
           "idempotency_key")  # fmt: skip
WIDTH, BODY = 88, "body = "


def with_samples(paths: dict[str, dict[str, Operation]]) -> dict[str, dict[str, Operation]]:
    """Add the examples of each operation to it."""
    return {
        path: {
            method: operation | {"x-codeSamples": samples(method.upper(), path, operation)}
            for method, operation in methods.items()
        }
        for path, methods in paths.items()
    }


def samples(method: str, path: str, operation: Operation) -> list[dict[str, str]]:
    """Write one operation's request in each language; in SQL, if that says the same."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", in_path(parameter))
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = msgspec.to_builtins(first(content["examples"])["value"]) if content else None
    has_key = bool(operation["security"])
    is_json = "content" in first(operation["responses"])
    written = {
        ("Shell", "curl"): in_curl(method, path, body, has_key),
        ("Python", "Python"): in_python(method, path, body, has_key, is_json),
        ("JavaScript", "JavaScript"): in_javascript(method, path, body, has_key, is_json),
        ("SQL", "SQL"): in_sql(operation["operationId"], body),
    }
    return [
        {"lang": lang, "label": label, "source": source}
        for (lang, label), source in written.items()
        if source is not None
    ]


def first(named: dict[str, Any]) -> Any:
    """Give what has the first name."""
    return next(iter(named.values()))


def in_path(parameter: dict[str, Any]) -> str:
    """Give an example of a parameter in a path."""
    if "example" in parameter:
        return str(parameter["example"])
    return ID if parameter["schema"].get("format") == "uuid" else "1"


def in_curl(method: str, path: str, body: Any, has_key: bool) -> str:
    """Write a request for a shell."""
    verb = "" if method == "GET" else f"-X {method} "
    parts = [f'curl -i {verb}"$NOTIFY_URL"{shlex.quote(path)}']
    if has_key:
        parts.append('-H "Authorization: Bearer $NOTIFY_KEY"')
    if body is not None:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d {shlex.quote(json.dumps(body))}")
    return " \\\n  ".join(parts)


def in_python(method: str, path: str, body: Any, has_key: bool, is_json: bool) -> str:
    """Write a request for Python, which needs nothing installed."""
    has_body = body is not None
    headers = ['"Content-Type": "application/json"'] if has_body else []
    if has_key:
        headers.insert(0, '"Authorization": "Bearer " + os.environ.get("NOTIFY_KEY", "")')
    lines = ["import json"] if has_body or is_json else []
    lines += ["import os", "from urllib.request import Request, urlopen", ""]
    if has_body:
        literal = pformat(body, width=WIDTH - len(BODY), sort_dicts=False)
        lines += [BODY + literal.replace("\n", "\n" + " " * len(BODY))]
    lines += ["request = Request(", f'    os.environ["NOTIFY_URL"] + {json.dumps(path)},']
    lines += [f'    method="{method}",']
    if headers:
        lines += ["    headers={", *(f"        {header}," for header in headers), "    },"]
    if has_body:
        lines += ["    data=json.dumps(body).encode(),"]
    read = "json.load(answer)" if is_json else "answer.read().decode()"
    return "\n".join(
        [*lines, ")", "with urlopen(request) as answer:", f"    print(answer.status, {read})"]
    )


def in_javascript(method: str, path: str, body: Any, has_key: bool, is_json: bool) -> str:
    """Write a request for JavaScript, as a module of Node, Deno or Bun."""
    read = "json" if is_json else "text"
    lines = [f"const {{ NOTIFY_URL{', NOTIFY_KEY' if has_key else ''} }} = process.env;"]
    lines += [f"const answer = await fetch(NOTIFY_URL + {json.dumps(path)}, {{"]
    lines += [f'  method: "{method}",']
    if has_key:
        content = ', "Content-Type": "application/json"' if body is not None else ""
        lines += [f"  headers: {{ Authorization: `Bearer ${{NOTIFY_KEY}}`{content} }},"]
    if body is not None:
        text = json.dumps(body, indent=2).replace("\n", "\n  ")
        lines += [f"  body: JSON.stringify({text}),"]
    return "\n".join([*lines, "});", f"console.log(answer.status, await answer.{read}());"])


def in_sql(operation: str, body: Any) -> str | None:
    """Write what a producer says in SQL; None: it is not a producer's to say."""
    match operation:
        case "enqueue":
            return f"select notify.send({', '.join(arguments(body))});"
        case "enqueue_batch":
            return f"select notify.send_many({literal(json.dumps(body))});"
        case "find":
            return f"select status, code, error from notify.outcomes where id = '{ID}';"
        case "explain":
            return f"select sentence, until, command from notify.explain('{ID}');"
        case "page":
            return (
                "select id, reference, status, code from notify.outcomes\n"
                "where id >= notify.id_floor(now() - interval '1 hour') order by id desc limit 50;"
            )
    return None


def arguments(body: dict[str, Any]) -> list[str]:
    """Name the arguments of notify.send() that a body gives."""
    options = {name: value for name, value in body.items() if name not in OF_SEND}
    named = {name: body[name] for name in OF_SEND if name in body}
    if "payload" in named:
        named["payload"] = json.dumps(named["payload"])
    if options:
        named["options"] = json.dumps(options)
    return [
        f"{name} => {literal(value) if isinstance(value, str) else value}"
        for name, value in named.items()
    ]


def literal(text: str) -> str:
    """Quote a text for SQL, with standard_conforming_strings as they are."""
    return "'" + text.replace("'", "''") + "'"
