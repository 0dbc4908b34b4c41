"""The CPU implementation: one clip after the other, so that intermediate results stay in a cache.

It has the same functions as :mod:`..batched`.
"""

from .batch_norm import combine, sum_of_products
from .graph_conv import graph_conv, graph_conv_backward
from .window_conv import window_conv, window_conv_backward, window_conv_folded

__all__ = [
    'combine',
    'graph_conv',
    'graph_conv_backward',
    'sum_of_products',
    'window_conv',
    'window_conv_backward',
    'window_conv_folded',
]
