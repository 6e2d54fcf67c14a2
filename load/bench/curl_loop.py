"""The ceiling of webhooks: the same libcurl, the same POSTs, and no ledger.

    python -m load.bench.curl_loop URL --posts 40000 --threads 2 --in-flight 32

Prints one JSON object.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pycurl

BODY = b'{"text": "hello", "number": 42}'
HEADERS = ["Content-Type: application/json", "webhook-id: 00000000-0000-7000-8000-000000000000"]


def post_all(url: str, posts: int, in_flight: int) -> int:
    """POST so many times on this thread; returns how many were answered 200."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, in_flight)
    idle = [handle(url) for _ in range(min(in_flight, posts))]
    left, running, answered = posts, 0, 0
    while left or running:
        while left and idle:
            multi.add_handle(idle.pop())
            left, running = left - 1, running + 1
        multi.perform()
        queued = 1
        while queued:
            queued, good, bad = multi.info_read(64)
            ended = [*good, *(easy for easy, _, _ in bad)]
            answered += sum(easy.getinfo(pycurl.RESPONSE_CODE) == 200 for easy in good)
            for easy in ended:
                multi.remove_handle(easy)
            idle += ended
            running -= len(ended)
        if not idle and running:
            multi.select(1.0)
    return answered


def handle(url: str) -> pycurl.Curl:
    """Set up one POST."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.POST, 1)
    easy.setopt(pycurl.HTTPHEADER, HEADERS)
    easy.setopt(pycurl.POSTFIELDS, BODY)
    easy.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    return easy


def main() -> None:
    """Parse the arguments, POST, print."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.curl_loop")
    parser.add_argument("url")
    parser.add_argument("--posts", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=32, help="on each thread")
    args = parser.parse_args()
    began = time.perf_counter()
    with ThreadPoolExecutor(args.threads) as pool:
        parts = [
            pool.submit(post_all, args.url, args.posts // args.threads, args.in_flight)
            for _ in range(args.threads)
        ]
        answered = sum(part.result() for part in parts)
    lasted_s = time.perf_counter() - began
    print(json.dumps({"answered": answered, "rate": answered / lasted_s}))


if __name__ == "__main__":
    main()
