from .msg3d import MSG3DBackbone, Stages
from .stf_gcn import STFGCN

__all__ = ['MSG3DBackbone', 'STFGCN', 'Stages']
