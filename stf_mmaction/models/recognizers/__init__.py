from .stf_ensemble import STFEnsemble
from .stf_recognizer import STFRecognizer

__all__ = ['STFEnsemble', 'STFRecognizer']
