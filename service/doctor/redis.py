"""What `notify doctor` says of Redis: it does there all that the road does."""

import re
import time

from service.dispatch.ready_set import ReadySet
from service.doctor.finding import Finding, judged
from service.errors import RedisAway
from service.redis_answers import LATE_S

VERSION_MIN = 7
# A pattern of Redis's refusal, and what to do about it. Anything else means: it is away.
REFUSALS = (
    (r"NOPERM|no permissions", "grant it to the user: .env.example has the ACL, at REDIS_URL"),
    (r"unknown command", "use Redis 7.0 or newer, or Valkey, with no command renamed"),
    (r"OOM|maxmemory", "it is full: see who fills it (redis-cli --bigkeys), or raise maxmemory"),
    (r"READONLY|MASTERDOWN", "it is a replica: name the primary, or its sentinels, in REDIS_URL"),
    (r"MOVED|CLUSTERDOWN", "name that node of the cluster, or a Redis without one"),
    (r"no sentinel", "see hosts, name and sentinel_password in REDIS_URL, and the sentinels' log"),
    (r"none of Redis", "see REDIS_URL: it must name Redis 7.0 or newer, or Valkey"),
    (r"LOADING|loading the dataset", "it is starting: ask again in a moment"),
)
AWAY = "see REDIS_URL"


async def redis_findings(url: str | None, ledger: str, leads: bool) -> list[Finding]:
    """Look at the server, and whether ids are offered there; `leads`: some dispatcher leads."""
    if url is None:
        return [Finding("Redis", "not given", "set REDIS_URL: without it delivery is slower")]
    ready_set = ReadySet(url)
    ready_set.use(ledger)
    try:
        await ready_set.probe()
        version, policy = await ready_set.checkup()
        offered, took_s = await asked_twice(ready_set)
    except RedisAway as error:
        return [refusal(str(error))]
    finally:
        await ready_set.close()
    if took_s > LATE_S:
        return [slow_finding(took_s), offered_finding(offered, leads)]
    return [server_finding(version, policy), offered_finding(offered, leads)]


async def asked_twice(ready_set: ReadySet) -> tuple[bool, float]:
    """Return whether ids are offered there, and how long the sooner of two answers took."""
    took: list[float] = []
    for _ in range(2):  # one may be late for a pause of this machine
        began = time.monotonic()
        offered = await ready_set.is_offered_to()
        took.append(time.monotonic() - began)
    return offered, min(took)


def slow_finding(took_s: float) -> Finding:
    """Say what to do about answers that take long."""
    return Finding(
        "Redis", f"an answer takes {took_s:.1f} s",
        "see what holds it up (redis-cli slowlog get), or give us one of our own, nearer by;"
        " until then workers claim directly",
    )  # fmt: skip


def refusal(reason: str) -> Finding:
    """Say what to do about an error of Redis."""
    advice = next((advice for words, advice in REFUSALS if re.search(words, reason)), AWAY)
    return Finding("Redis", reason, f"{advice}; until then workers claim directly")


def server_finding(version: str, policy: str) -> Finding:
    """Judge its version, and what it does when memory is full; '': that is not known."""
    found = f"{version or 'version unknown'}, maxmemory-policy {policy or 'unknown'}"
    major = re.match(r"\d+", version)
    if major and int(major[0]) < VERSION_MIN:
        return Finding("Redis", found, "use Redis 7.0 or newer, or Valkey")
    return judged("Redis", found, policy in ("", "noeviction"), "set maxmemory-policy noeviction")


def offered_finding(offered: bool, leads: bool) -> Finding:
    """Judge whether a dispatcher offers its ids in this Redis."""
    if offered or not leads:
        return Finding("ready set", "a dispatcher fills it" if offered else "nobody fills it yet")
    return Finding(
        "ready set", "nobody fills it, though a dispatcher leads",
        "give all of them the same REDIS_URL, its database number too; or see the dispatcher's log",
    )  # fmt: skip
