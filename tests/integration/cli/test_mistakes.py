"""Each mistake that a new user makes is one line that says what to do, and never a traceback."""

import json
import ssl

import pytest

from service.cli import client
from service.cli import run as running
from tests.acceptance.conftest import free_port
from tests.integration.api.serving import HOOK
from tests.integration.cli.conftest import ended

ID = "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f"
ASKING = [
    ["status", ID], ["list"], ["send", "log", "x", "{}"], ["cancel", ID], ["redrive", ID],
    ["cancel", "--reference", "x"], ["probe", "example.org"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["statsu"], "there is no command 'statsu': did you mean status? See notify --help"),
        (["Doctor"], "there is no command 'Doctor': did you mean doctor?"),
        (["help"], "did you mean --help?"),
        (["version"], "did you mean --version?"),
        (["list", "--url", ""], "argument --url: it is empty"),
        (["up", "--state", " "], "argument --state: it is empty"),
        (["frobnicate"], "there is no command 'frobnicate': choose from up, services, "),
        (["api", "--prot", "3"], "notify api: there is no option --prot: did you mean --port?"),
        (["api", "--prot=3"], "there is no option --prot: did you mean --port?"),
        (["send", "--subjct", "x", "email", "ada"], "did you mean --subject?"),
        (["send", "webhok", "x"], "there is no CHANNEL 'webhok': did you mean webhook?"),
        (["list", "--status", "faild"], "there is no STATUS 'faild': did you mean failed?"),
        (["send", "log", "x", "--priority", "high"], "'high' is not a whole number"),
        (["inbox", "--http-port", "70000"], "'70000' is no port"),
        (["up", "--inbox-smtp-port", "-1"], "--inbox-smtp-port: "),
        (["list", "--limit", "0"], "'0' is not a whole number from 1 on"),
        (["send"], "required: CHANNEL, RECIPIENT"),
        (["status"], "required: ID"),
        (["send", "log", "x", "{a:", "1}"], "too many words, from '1}' on: is one to be quoted"),
        (["redrive", "--rate", "nan"], "'nan' is not a number"),
        (["--json", "list"], "notify list: --json stands behind the command."),
        (["--port", "3", "up"], "notify up: --port stands behind the command."),
        (["--verison"], "there is no option --verison: did you mean --version?"),
    ],
)
def test_a_mistyped_word_is_answered_with_what_was_meant(notify, argv, said):
    done = notify(*argv)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]
    assert done.err.startswith("usage: notify")


def test_no_word_at_all_shows_every_command(notify):
    done = notify()
    assert done.code == 2
    assert "notify up" in done.err


def test_the_version_is_told(notify):
    assert notify("--version").out.startswith("notify ")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("{a", "Expecting property name enclosed in double quotes at line 1, column 2: a; is it q"),
        ('{"a": 1 "b"}', 'at line 1, column 9: "b"}'),
        ('{"a":\n nope}', "Expecting value at line 2, column 2: nope}"),
        ("", "at line 1, column 1: it ends there"),
        ("NaN", "NaN is not a number there"),
        ("[" * 100_000, "nested too deeply"),
        ("@nowhere.json", "the payload in nowhere.json: No such file or directory"),
        ("@/dev/zero", "the payload in /dev/zero is larger than the API takes"),
        ("@.", "the payload in .: Is a directory"),
        ("@latin.json", "the payload in latin.json is not UTF-8: byte 2"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_payload_that_is_none_is_told_with_its_place(notify, bare, payload, said):
    (bare / "latin.json").write_bytes('"ü"'.encode("latin-1"))
    done = notify("send", "log", "x", payload)
    assert done.code == 1
    assert said in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("words", [("--state", "nowhere\udcff"), ("--state=nowhere\udcff",)])
def test_a_state_directory_may_have_any_bytes_and_other_words_may_not(notify, words):
    done = notify("doctor", *words)
    assert "no `notify up` has kept a state in nowhere\\udcff" in done.out + done.err
    assert "not UTF-8" in notify("doctor", *words, "\udcff").err


def test_a_payload_comes_whole_from_a_file_and_from_stdin(process, api, bare):
    base = f"http://127.0.0.1:{api.port}"
    text = '\ufeff{"n": 1.00000000000000000000000001, "big": 123456789012345678901234567890}'
    (bare / "payload.json").write_text(text, encoding="utf-8")
    for argument, stdin in (("@payload.json", b""), ("-", text.encode())):
        done = ended(process("send", "log", "x", argument, "--url", base), stdin)
        assert done.err == ""
        payload = api.get(f"/notifications/{json.loads(done.out)['id']}").body
        assert b"1.00000000000000000000000001" in payload
        assert b"123456789012345678901234567890" in payload


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "nobody listens there. Is `notify up` running?"),
        ("http://nowhere.invalid:1", "the host's name does not resolve"),
        ("nonsense", "--url: give http://host:port"),
        ("http://127.0.0.1:nonsense", "--url is none"),
        ("http://user:hunter2@h", "--url: give http://host:port, without user and password"),
        ("{stranger}/html", "answers, but not as notify does (HTTP 200, text/html)"),
        ("{stranger}/list", "answers, but not as notify does"),
        ("{stranger}/bytes", "answers, but not as notify does"),
        ("{stranger}/302", "sends us on to https://elsewhere.example/…"),
        ("{stranger}/401", "asks for a login"),
        ("{stranger}/404", "is --url the address of notify, without a path?"),
        ("{stranger}/413", "the body is too large"),
        ("{stranger}/415", "does not take JSON"),
        ("{stranger}/429", "try again later (HTTP 429); Retry-After: 7 s"),
        ("{stranger}/503", "try again later (HTTP 503); Retry-After: 7 s"),
        ("{stranger}/502", "a proxy does not reach the API"),
        ("{stranger}/599", "it failed (HTTP 599)"),
    ],
)
def test_what_is_no_api_of_ours_is_told(notify, stranger, url, said):
    for argv in ASKING:
        done = notify(*argv, "--url", url.format(stranger=stranger))
        assert_told(done, said)


def assert_told(done, said):
    assert done.code == 1
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "hunter2" not in done.err


@pytest.mark.parametrize("argv", [a for a in ASKING if a[0] != "cancel"], ids=lambda a: a[0])
def test_another_versions_answer_is_told(notify, stranger, argv):
    assert "is it another version" in notify(*argv, "--url", f"{stranger}/other").err


def test_tls_to_a_server_without_is_told(notify, stranger):
    done = notify("status", ID, "--url", stranger.replace("http:", "https:"))
    assert "is it http:// instead of https://?" in done.err


def test_silence_is_told(notify, silent, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT_S", 0.2)
    done = notify("status", ID, "--url", f"http://127.0.0.1:{silent}")
    assert "no answer: it took more than 0.2 s" in done.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["send", "log", "x", "{}", "--send-at", "tomorrow"], "--send-at: Use RFC 3339"),
        (["send", "log", "x", "{}", "--priority", "9"], "--priority: Use 0"),
        (["send", "log", "x", "{}", "--max-attempts", "0"], "--max-attempts: "),
        (["send", "log", "x", '{"a": [1, 1e999]}'], "JSON /a/1: "),
        (["send", "email", "ada", "--text", "x"], "RECIPIENT: Give one address"),
        (["send", "email", "a@b.org", "--text", "x"], "--subject: Add subject"),
        (["redrive", "--since", "yesterday"], "--since: Use RFC 3339"),
        (["redrive", "--code", "1", "--limit", "999999"], "--limit: Use 1 to 100000"),
        (["redrive", "--code", "1", "--rate", "0"], "--rate: Use 0.1"),
        (["cancel", "--since", "yesterday"], "--since: Use RFC 3339"),
        (["cancel", "--producer", "x" * 64], "--producer: As GET"),
        (["probe", "x" * 301], "DESTINATION: Use the origin"),
        (["list", "--cursor", "x"], "--cursor: Give"),
        (["list", "--reference", "x" * 300], "--reference: Give"),
    ],
)
def test_faults_speak_of_what_was_typed(notify, api, argv, said):
    done = notify(*argv, "--url", f"http://127.0.0.1:{api.port}")
    assert done.code == 1
    assert said in done.err
    assert "/filter" not in done.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["api", "--port", "x"], "notify: --port x: must be a whole number"),
        (["top", "--database-url", "x"], "notify: --database-url (hidden): must be a URL"),
        (["up", "--port", "0"], "notify: --port 0: must be"),
    ],
)
def test_a_setting_that_was_typed_is_named_as_typed(notify, argv, said):
    assert notify(*argv).err.startswith(said)


def test_an_id_that_is_none_and_one_that_is_not_there_differ(notify, api):
    url = ["--url", f"http://127.0.0.1:{api.port}"]
    assert "'019a' is no id" in notify("status", "019a", *url).err
    assert "There is no such notification" in notify("status", ID, *url).err
    assert notify("cancel", "019a", ID, *url).code == 1
    sent = client.send(url[1], HOOK)
    assert notify("status", f"{{{sent['id'].upper()}}}", *url).code == 0


def test_a_fault_of_ours_is_one_line_without_what_it_quotes(notify, monkeypatch):
    def broken(args):
        raise RuntimeError("postgresql://u:hunter2@h/d")

    monkeypatch.setattr(running, "command", lambda args: broken)
    done = notify("list")
    assert done.code == 1
    assert "a fault of this program, RuntimeError at test_mistakes.py:" in done.err
    assert done.err.count("\n") == 1
    assert "hunter2" not in done.err
    monkeypatch.setenv("NOTIFY_DEBUG", "1")
    assert "Traceback" in notify("list").err


def test_the_variable_that_leads_to_a_missing_place_is_named(monkeypatch, capsys):
    monkeypatch.setenv("HOME", "/nonexistent/keys")
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent/keys/log")

    def work() -> int:
        ssl.create_default_context()
        return 0

    assert running.in_one_line(work) == 1
    assert capsys.readouterr().err.endswith("No such file or directory (SSLKEYLOGFILE says so)\n")


def test_an_api_says_at_once_that_its_database_is_out_of_reach(process):
    started = process(
        "api",
        env={"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/d", "PORT": str(free_port())},
    )
    assert started.stderr is not None
    said = b""
    while b"away" not in said:
        line = started.stderr.readline()
        assert line, said
        said += line
    assert b"127.0.0.1" in said
    assert b"Connection refused" in said
    assert b"hunter2" not in said


def test_ids_and_a_filter_are_not_both_asked_for(notify):
    done = notify("redrive", ID, "--code", "503")
    assert (done.code, done.err) == (
        1,
        "notify: redrive which? Give IDs or --channel and its like, not both\n",
    )
