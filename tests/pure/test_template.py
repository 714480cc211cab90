"""Message templates: what is variable is masked, what tells failures apart stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.detecting.template import MAX_MESSAGE_CHARS, shape_of, telling_line, template_of
from tests.pure.strategies import many

TEMPLATES = [
    ("Order 4711 of bob@example.org timed out after 30.2 s",
     "Order <num> of <email> timed out after <amount>"),
    ("Request failed with status code 503", "Request failed with status code 503"),
    ("HTTP 429 Too Many Requests, retry after 12 s",
     "HTTP 429 Too Many Requests, retry after <amount>"),
    ("GET /api/v1/users/123 failed: 404", "GET <path> failed: 404"),
    ('upstream "POST /v2/abc HTTP/1.1" status: 502 len: 12',
     'upstream "POST <url>" status: 502 len: <num>'),
    ("UNABLE_TO_LOCK_ROW: cannot get record 0015g00000XyZ12AAB",
     "UNABLE_TO_LOCK_ROW: cannot get record <id>"),
    ('{"error":{"code":"rate_limited","message":"Slow down acct_1Hh2","url":"https://x.io/a"}}',
     '{"error":{"code":"rate_limited","message":"Slow down acct_<id>","url":<text>}}'),
    ("{'code': 'card_declined', 'param': 'number', 'request_id': 'req_123'}",
     "{'code': 'card_declined', 'param': <text>, 'request_id': <text>}"),
    ("ORA-00060: deadlock detected while waiting for resource",
     "ORA-00060: deadlock detected while waiting for resource"),
    ("SQLSTATE[40001]: Serialization failure", "SQLSTATE[40001]: Serialization failure"),
    ("psycopg2.errors.SerializationFailure: could not serialize access",
     "psycopg2.errors.SerializationFailure: could not serialize access"),
    ('duplicate key value violates unique constraint "orders_pkey"',
     "duplicate key value violates unique constraint <text>"),
    ('no route to host "db" (10.0.0.5:5432)', "no route to host <text> (<host>)"),
    ("getaddrinfo ENOTFOUND api.vendor.example.com", "getaddrinfo ENOTFOUND <host>"),
    ("x509: certificate expired: now 2026-01-19T10:00:00Z is after 2025-12-31T23:59:59Z",
     "x509: certificate expired: now <time> is after <time>"),
    ("pod payments-worker-7d9f8c6b5-x2k4q OOMKilled exit code 137",
     "pod payments-worker-<id> OOMKilled exit code 137"),
    ("User: arn:aws:iam::123456789012:user/bob is not authorized",
     "User: <url> is not authorized"),
    ("customer Jane is not active", "customer <name> is not active"),
    ("user not found", "user not found"),
    ("It didn't work, don't try 'foo bar' again", "It didn't work, don't try <text> again"),
    ("a=1 b= c=xyz reason=timeout", "a=<value> b= c=<value> reason=timeout"),
    ("postal_code=12345 error_code=E1234", "postal_code=<num> error_code=E1234"),
    ("panic in main.go:12: index [5] of 3", "panic in main.go:<num>: index [<num>] of <num>"),
    ("peers fe80:0:0:0:204:61ff:fe9d:f156 and aa:bb:cc:dd:ee:ff", "peers <host> and <host>"),
    ("job f47ac10b-58cc-4372-a567-0e02b2c3d479 at 0x7ffd12 died", "job <id> at <id> died"),
    ("written to C:\\data\\out.csv and ~/logs/a.log", "written to <path> and <path>"),
    ("on Fri, 19 Jan 2026 10:00:00 UTC it broke", "on <time> it broke"),
    ("Timeout\u00a0after   30s 日本 12 エラー", "Timeout after <amount> 日本 <num> エラー"),
    ("", ""),
    (" \n\t ", ""),
]  # fmt: skip


@pytest.mark.parametrize(("message", "template"), TEMPLATES, ids=[m[:30] for m, _ in TEMPLATES])
def test_it_masks_what_varies_and_keeps_what_tells(message: str, template: str) -> None:
    assert template_of(message) == template


SAME = [
    ("took 5 ms", "took 7"),
    ("ids 1, 2, 3", "ids 9"),
    ("delete blk_1", "delete  blk_1 blk_2 blk_3"),
    ("Timeout for 10.0.0.1:80", "timeout for 10.0.0.2:443"),
]
DIFFERENT = [
    ("status code 503", "status code 404"),
    ("exit code 137", "exit code 1"),
    ("state 'Active' set", "state 'Failed' set"),
    ("reason=timeout", "reason=refused"),
    ("read failed", "write failed"),
    ('"GET /a" status 500', '"POST /a" status 500'),
    ("java.io.IOException: x", "java.net.SocketException: x"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_it_gives_the_same_shape_to_the_same_failure(one: str, other: str) -> None:
    assert shape_of(template_of(one)) == shape_of(template_of(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_it_keeps_different_failures_apart(one: str, other: str) -> None:
    assert shape_of(template_of(one)) != shape_of(template_of(other))


LINES = [
    ("\n\n  first\nsecond", "first"),
    ("Error:\n  disk full\nmore", "Error: disk full"),
    ('Traceback (most recent call last):\n  File "a.py"\nValueError: bad\n', "ValueError: bad"),
    ("Traceback (most recent call last):\n" + "  x\n" * 5000 + "KeyError: 'a'", "KeyError: 'a'"),
    ("a\r\nb", "a"),
]


@pytest.mark.parametrize(("message", "line"), LINES, ids=range(len(LINES)))
def test_it_reads_the_line_that_names_the_failure(message: str, line: str) -> None:
    assert telling_line(message) == line


def test_it_reads_no_more_than_two_kilobytes() -> None:
    long = "x " * MAX_MESSAGE_CHARS
    assert template_of(long) == template_of(long + "and more")


@many
@given(st.text(max_size=300))
def test_it_takes_any_text_and_always_says_the_same(message: str) -> None:
    template = template_of(message)
    assert template == template_of(message)
    assert "\n" not in template
    assert shape_of(shape_of(template)) == shape_of(template)


PIECES = ['"', "'", "`", "a", "1", "_", "-", ".", "/", " ", "=", ":", "{", "0x", "error", "code"]


@many
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_it_survives_text_made_to_be_slow(unit: str) -> None:
    """Any short text repeated to the limit: ends, with a template no longer than it can be."""
    message = (unit * MAX_MESSAGE_CHARS)[:MAX_MESSAGE_CHARS]
    assert len(template_of(message)) <= 8 * MAX_MESSAGE_CHARS


@many
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_it_never_lets_a_number_make_a_new_group(one: int, other: int) -> None:
    shapes = {shape_of(template_of(f"Order {n} failed after {n} tries")) for n in (one, other)}
    assert len(shapes) == 1


@many
@given(st.uuids(), st.ip_addresses().filter(int), st.datetimes())
def test_it_masks_ids_addresses_and_instants(uuid: object, address: object, at: object) -> None:
    message = f"run {uuid} from {address} at {str(at).replace(' ', 'T')} failed"
    assert shape_of(template_of(message)) == "run <*> from <*> at <*> failed"
