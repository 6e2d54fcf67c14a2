"""The HTTP edge: check what arrives, share an INSERT with the neighbours, answer after the commit.

In the order of the road: serve · app (routes; service/http/ stands before it) · enqueue · body ·
decoding · storable · batcher; then read (in turns); operate and redrive (operators' verbs); health;
views (every answer), openapi and docs.html (what a client reads).
"""
