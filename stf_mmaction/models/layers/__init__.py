from .graph import adjacency_scales, layout_of
from .ms_gcn import G3D, MultiScaleGraphConv
from .norm import channels_last_norm
from .stf_module import BottleneckSTF, InferredGraph
from .temporal import TemporalUnit

__all__ = [
    'BottleneckSTF',
    'G3D',
    'InferredGraph',
    'MultiScaleGraphConv',
    'TemporalUnit',
    'adjacency_scales',
    'channels_last_norm',
    'layout_of',
]
