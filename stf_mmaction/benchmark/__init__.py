"""Measure the time and memory of networks beside the published formulation of MS-G3D."""
