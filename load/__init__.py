"""Load: a stress test for locust, and a bench."""
