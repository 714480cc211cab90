"""`curl` for the README's calls, where the machine may have none: prints the status, then the body.

Knows what the README uses and nothing else: an unknown option is an error.
"""

from __future__ import annotations

import argparse
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true", help="quiet, as this one always is")
    parser.add_argument("-X", dest="method", default="GET")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    asked = parser.parse_args()
    request = urllib.request.Request(
        asked.url,
        method=asked.method,
        headers=dict(header.split(": ", 1) for header in asked.headers),
        data=asked.data.encode() if asked.data else None,
    )
    # No proxy of the environment: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as refusal:
        print(refusal.code, refusal.read().decode())


if __name__ == "__main__":
    main()
