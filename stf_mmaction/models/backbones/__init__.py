from .ctrgcn import CTRGCNBackbone
from .msg3d import MSG3DBackbone
from .stages import Stages
from .stf_gcn import STFGCN
from .stf_stages import STFAAGCN, STFCTRGCN, STFSTGCN

__all__ = [
    'CTRGCNBackbone',
    'MSG3DBackbone',
    'STFAAGCN',
    'STFCTRGCN',
    'STFGCN',
    'STFSTGCN',
    'Stages',
]
