"""Ports on 127.0.0.1 for the embedded servers."""

import secrets
import socket

from service.errors import StartError

# Below the ports that kernels give to outgoing connections, so that ours is free again next time.
PORTS = range(20000, 30000)


def free_port() -> int:
    """Find a free port on 127.0.0.1."""
    for _ in range(100):
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
    raise StartError(f"no free port on 127.0.0.1 from {PORTS.start} to {PORTS.stop - 1}")


def is_free(port: int) -> bool:
    """Return whether a server could listen there; closed connections that linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
