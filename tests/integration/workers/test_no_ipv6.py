"""An address of IPv6 on a host without it, and one whose ports are used up: each in a network of
its own, where the kernel says what it says to workers.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INSIDE = """
import fcntl, pathlib, socket, struct, sys
from service.config.settings import Settings
from service.names.guard import LOOPBACK
from tests.unit.workers.claims import a_claim
from workers.channels.email import EmailChannel
from workers.channels.webhook import WebhookChannel
from workers.transfers import Transfers

def set_to(value, path):
    pathlib.Path("/proc/sys/net", path).write_text(value)

def answer(channel, claim, settings):
    transfers = Transfers(settings)
    assert transfers.start(channel.prepare(claim), None) is None
    while not (ended := list(transfers.wait(1.0))):
        pass
    transfers.close()
    return ended[0][1]

def bring_up_loopback():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP

host, settings = "[2606:4700::1]", {"webhook_allow": LOOPBACK}
bring_up_loopback()
if sys.argv[1] == "no_ipv6":
    set_to("1", "ipv6/conf/all/disable_ipv6")
elif sys.argv[1] == "no_ports":
    host = "[::1]"
    set_to("40000 40000", "ipv4/ip_local_port_range")
    server = socket.create_server(("::1", 9), family=socket.AF_INET6)
    taken = socket.create_connection(("::1", 9))
elif sys.argv[1] == "no_ports_of_ipv4":
    host = "127.0.0.1"
    set_to("1", "ipv6/conf/all/disable_ipv6")
    set_to("40000 40000", "ipv4/ip_local_port_range")
    server = socket.create_server(("127.0.0.1", 9))
    taken = socket.create_connection(("127.0.0.1", 9))
if sys.argv[2] == "proxy":
    settings["webhook_proxy_url"] = f"http://{host}:9"
    host = "example.org"
settings = Settings(**settings, smtp_url=f"smtp://{host}:9", mail_from="us@example.org")
if sys.argv[2] == "mail":
    channel, payload, to = EmailChannel(settings), {"subject": "s", "text": "t"}, "a@example.org"
else:
    channel, payload, to = WebhookChannel(settings), {}, f"http://{host}:9/"
name = "email" if sys.argv[2] == "mail" else "webhook"
said = answer(channel, a_claim(payload, channel=name, recipient=to), settings)
print(said.short_of, channel.judge(said).code)
"""


@pytest.fixture(scope="module", autouse=True)
def network_of_its_own():
    setting = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
    try:
        subprocess.run(
            ["unshare", "-r", "-n", "sh", "-c", setting], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not make a network of its own")


def said(network, kind):
    """Send once in a network; return what was lacking, and the code."""
    call = ["unshare", "-r", "-n", sys.executable, "-c", INSIDE, network, kind]
    ended = subprocess.run(
        call,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("network", ["no_ipv6", "no_route"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [("webhook", "connect_failed"), ("mail", "connect_failed"), ("proxy", "proxy_failed")],
)
def test_an_address_of_ipv6_on_a_host_without_it_is_no_shortage(network, kind, code):
    assert said(network, kind) == f"None {code}"


@pytest.mark.parametrize("kind", ["webhook", "mail"])
@pytest.mark.parametrize("network", ["no_ports", "no_ports_of_ipv4"])
def test_ports_that_are_used_up_are_one(network, kind):
    assert said(network, kind).startswith("local_ports ")
