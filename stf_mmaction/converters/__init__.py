"""Readers of raw skeleton files, and what writes them into one pickle.

Each tool in ``tools/data`` is one of these with a command line.
"""
