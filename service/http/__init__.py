"""What every HTTP server of ours has: bounded connections, refused callers, problems."""
