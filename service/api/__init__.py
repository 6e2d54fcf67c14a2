"""The HTTP edge: check what arrives, share an INSERT with the neighbours, answer after the commit.

In the order of the road: serve · app (routes; service.connections and service.callers stand before
it) · enqueue · body · decoding · storable · batcher; then read (in turns); operate and redrive
(operators' verbs); health; problems (every error), views (every answer), openapi and docs.html
(what a client reads).
"""
