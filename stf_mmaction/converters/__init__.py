"""Readers of raw skeleton files, and code that writes them into one pickle.

Each tool in ``tools/data`` is a command line for one of them.
"""
