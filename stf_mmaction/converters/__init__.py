"""Read raw skeleton files, and write them into one pickle.

Each tool in ``tools/data`` is a command line for one of them.
"""
