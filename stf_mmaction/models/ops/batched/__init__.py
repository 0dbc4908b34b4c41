"""The GPU implementation: few launches for a whole batch, or for chunks that fit a memory budget.

It has the same functions as :mod:`..clipwise`.
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
