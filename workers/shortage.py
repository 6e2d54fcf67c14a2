"""What this host may lack when a transfer is to begin, so that nothing has left it."""

import errno
import math
import os
import socket
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import pycurl
from loguru import logger

from service.metrics import WorkerMetrics

PAUSE_S = 1.0  # before what could not begin is claimed again
FORGET_S = 60.0  # a shortage that was not met for this long is logged again


class Short(StrEnum):
    """What there is too little of."""

    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    LOCAL_PORTS = "local_ports"


BY_ERRNO = {
    0: Short.DESCRIPTORS,  # libcurl keeps the errno of connect(2), and did not come so far
    errno.EMFILE: Short.DESCRIPTORS,
    errno.ENFILE: Short.DESCRIPTORS,
    errno.ENOMEM: Short.MEMORY,
    errno.ENOBUFS: Short.MEMORY,
    errno.EADDRNOTAVAIL: Short.LOCAL_PORTS,
}

# What connect(2) says of an address to which this host has no way.
NO_WAY = (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EAFNOSUPPORT)
Address = tuple[int, Any]  # a family, and what socket.connect takes there

# A resolver opens sockets and files, TLS reads the trust store; neither says why that failed.
NEEDS_FILES = (
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_CONNECT_ERROR,
)


def short_of(easy: Any, error: int, tried: Sequence[Address] = ()) -> Short | None:
    """Return what was lacking, if that is why a transfer has failed with libcurl's `error`.

    `tried`: the addresses to which it was to be connected.
    """
    if error == pycurl.E_OUT_OF_MEMORY:  # libcurl says so for want of a descriptor, too
        return Short.DESCRIPTORS if no_descriptor_is_left() else Short.MEMORY
    if error == pycurl.E_COULDNT_CONNECT:
        short = BY_ERRNO.get(easy.getinfo(pycurl.OS_ERRNO))
        return None if short and tried and not any(map(has_way, tried)) else short
    return Short.DESCRIPTORS if error in NEEDS_FILES and no_descriptor_is_left() else None


def has_way(address: Address) -> bool:
    """Return whether this host has a way to an address; UDP asks the kernel, and sends nothing.

    Without one, connecting fails as it does without a local port: IPv6 on a host that has none.
    """
    family, place = address
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect(place)
    except OSError as error:
        return error.errno not in NO_WAY
    return True


def no_descriptor_is_left() -> bool:
    """Try to open one."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return True
    return False


class Shortages:
    """What this worker lacked lately: each time it is counted, and the first time logged.

    Threads: any sender may call met; without a lock two of them may log the same shortage.
    """

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._met_at: dict[Short, float] = {}

    def met(self, short: Short, now: float) -> None:
        """Note that a transfer could not begin."""
        self._metrics.shortages.labels(short).inc()
        if now - self._met_at.get(short, -math.inf) > FORGET_S:
            logger.warning("shortage", what=short, hint="nothing is lost; see ops/RUNBOOK.md")
        self._met_at[short] = now
