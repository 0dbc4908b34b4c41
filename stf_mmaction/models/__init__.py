from stf_mmaction.losses import modules as _losses  # noqa: F401  (registers them)

from .backbones import STFAAGCN, STFCTRGCN, STFGCN, STFSTGCN, CTRGCNBackbone, MSG3DBackbone
from .convert import convert_msg3d_state_dict
from .heads import STFHead
from .recognizers import STFEnsemble, STFRecognizer

__all__ = [
    'CTRGCNBackbone',
    'MSG3DBackbone',
    'STFAAGCN',
    'STFCTRGCN',
    'STFEnsemble',
    'STFGCN',
    'STFHead',
    'STFRecognizer',
    'STFSTGCN',
    'convert_msg3d_state_dict',
]
