"""One worker process of each peer. They run where it is installed, and import nothing of ours.

Each takes one JSON object as its argument, and prints one line: the Unix time in seconds of its
first claim, by the ledger's clock if that has one. `url`: where each job POSTs; null: no-ops.
"""
