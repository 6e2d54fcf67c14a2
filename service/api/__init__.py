"""The HTTP edge: check a request, insert it together with others, answer after the commit.

In the order of the road: serve · app (routes; service/http/ comes before it) · enqueue, or batch
and items · body · decoding · storable · batcher; then read (in turns); operate and redrive
(operators' verbs); health; views (every answer), openapi, examples and docs.html (what a client
reads). Beside it: measured and ledger_clock.
"""
