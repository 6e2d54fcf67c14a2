"""What `notify doctor` looks at, and its advice; it prints nothing."""
