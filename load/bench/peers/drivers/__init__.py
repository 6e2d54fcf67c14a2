"""One worker process of each peer. They run where it is installed, and import nothing of ours.

Each takes one JSON object as its argument, and prints one line when its first job starts: the Unix
time in seconds. `url`: where each job POSTs; null: jobs do nothing.
"""
