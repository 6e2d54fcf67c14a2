"""The files of ops/: what can be checked of them without the servers they are for."""
