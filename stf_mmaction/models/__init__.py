from stf_mmaction import losses  # noqa: F401  (registers them)

from .backbones import MSG3DBackbone, STFGCN
from .convert import convert_msg3d_state_dict
from .heads import STFHead
from .recognizers import STFEnsemble, STFRecognizer

__all__ = [
    'MSG3DBackbone', 'STFEnsemble', 'STFGCN', 'STFHead', 'STFRecognizer',
    'convert_msg3d_state_dict'
]
