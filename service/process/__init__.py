"""What every process has: tasks that must run, ports, descriptors, standard streams, batches."""
