"""Names of hosts: looking them up, and telling whose they are."""
