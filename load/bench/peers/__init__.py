"""Other queues beside us in the same run: python -m load.bench.peers."""
