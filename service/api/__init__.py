"""The HTTP edge: check what arrives, share an INSERT with the neighbours, answer after the commit.

In the order of the road: serve · app (routes) · enqueue · body · decoding · storable · batcher;
then read; operate and redrive (operators' verbs); health; problems (every error), views (every
answer), openapi and docs.html (what a client reads).
"""
