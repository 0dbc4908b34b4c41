from .check_hooks import CheckpointCheckHook, SkeletonCheckHook
from .focus_hook import FocusVisualizationHook
from .inferencer import STFInferencer
from .metrics import MemberAccMetric
from .phase_hook import STFPhaseHook

__all__ = [
    'CheckpointCheckHook',
    'FocusVisualizationHook',
    'MemberAccMetric',
    'STFInferencer',
    'STFPhaseHook',
    'SkeletonCheckHook',
]
