"""What can be set: the settings, what each may be, and where they are read."""
