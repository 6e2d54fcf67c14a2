"""How long and how large a notification may be, for the edge, its problems and /openapi.json.

sql/unmet_rule.sql says the same: tests/sql/test_edge_agrees.py and test_corpus.py compare the two.
"""

BODY_BYTES_MAX = 256 * 1024
BATCH_BODY_BYTES_MAX = 5 * 1024 * 1024  # the body of a batch
BATCH_ITEMS_MAX = 1000
PAYLOAD_BYTES_MAX = 256 * 1024  # as PostgreSQL writes it: octet_length(payload::text)
NESTING_MAX = 64  # levels of arrays and objects in a payload
DIGITS_MAX = 4300  # of an integer: Python reads no longer ones, nor do many others
PRODUCER_MAX_CHARS = 63  # as many as a role's name has
RECIPIENT_MAX_CHARS = 2048
CANCEL_AT_ONCE_MAX = 10_000  # an UPDATE of more may take longer than the API waits for
DESTINATION_MAX_CHARS = 300  # an origin: its scheme, a host of 253 and its port; or a domain
REFERENCE_MAX_CHARS = 255
IDEMPOTENCY_KEY_MAX_CHARS = 255
MAX_ATTEMPTS_MAX = 100  # what a row may bring as max_attempts
