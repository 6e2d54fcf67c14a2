"""Log lines: to standard error, and to Loki."""
