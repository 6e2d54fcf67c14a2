"""Rates of the real commands, each beside a ceiling measured in the same run."""
