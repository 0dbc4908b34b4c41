"""Operators as pure functions on tensors.

==================  =========================================================
``reference.py``    The definitions, in differentiable operators of PyTorch.
``clipwise/``       For CPUs: clip by clip, in the caches.
``batched/``        For GPUs, and for small clips on a CPU: few calls.
``dispatch.py``     The choice between them.
the other files     One operator each: its autograd function and its docs.
==================  =========================================================
"""

from .batch_norm import batch_norm, relu_
from .branches import branches
from .dispatch import needs_reference, use_kernels
from .graph_conv import graph_conv
from .window_conv import window_conv, window_conv_folded

__all__ = [
    'batch_norm',
    'branches',
    'graph_conv',
    'needs_reference',
    'relu_',
    'use_kernels',
    'window_conv',
    'window_conv_folded',
]
