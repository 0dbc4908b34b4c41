"""Reproduce the tables of the papers, and run tables of experiments."""
