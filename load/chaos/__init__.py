"""Break everything at random, and count what became of every notification. See ops/CHAOS.md."""
