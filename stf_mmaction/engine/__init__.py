from .check_hooks import CheckpointCheckHook, SkeletonCheckHook
from .focus_hook import FocusVisualizationHook
from .metrics import MemberAccMetric
from .phase_hook import STFPhaseHook

__all__ = [
    'CheckpointCheckHook', 'FocusVisualizationHook', 'MemberAccMetric',
    'STFPhaseHook', 'SkeletonCheckHook'
]
