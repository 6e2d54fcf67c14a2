"""The worker: one claimer thread, some sender threads and one settler thread.

Where more than one thread uses an object, its class's docstring ends in a line `Threads:`, which
says whose each call is. Where that line is missing, one thread uses the object, or nothing in it
changes. An underscore says nothing about threads: such a name is for its class alone, in Loop and
Handle for the subclasses too.
"""
