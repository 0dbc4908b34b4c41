from .focus_hook import FocusVisualizationHook
from .inferencer import STFInferencer
from .metrics import MemberAccMetric
from .phase_hook import STFPhaseHook
from .sanity_hooks import CheckpointCheckHook, SkeletonCheckHook

__all__ = [
    'CheckpointCheckHook',
    'FocusVisualizationHook',
    'MemberAccMetric',
    'STFInferencer',
    'STFPhaseHook',
    'SkeletonCheckHook',
]
