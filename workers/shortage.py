"""What this host may lack when a transfer is to begin, so that nothing has left it."""

import errno
import math
import os
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

# A resolver opens sockets and files, TLS reads the trust store; neither says why that failed.
NEEDS_FILES = (
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_CONNECT_ERROR,
)


def short_of(easy: Any, error: int) -> Short | None:
    """Return what was lacking, if that is why a transfer has failed with libcurl's `error`."""
    if error == pycurl.E_OUT_OF_MEMORY:  # libcurl says so for want of a descriptor, too
        return Short.DESCRIPTORS if no_descriptor_is_left() else Short.MEMORY
    if error == pycurl.E_COULDNT_CONNECT:
        return BY_ERRNO.get(easy.getinfo(pycurl.OS_ERRNO))
    return Short.DESCRIPTORS if error in NEEDS_FILES and no_descriptor_is_left() else None


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
