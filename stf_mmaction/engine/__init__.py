from .checkpoint_hook import SafeCheckpointHook
from .cuda_graph_hook import CUDAGraphHook
from .feature_export_hook import FeatureExportHook
from .finite_hook import FiniteCheckHook
from .focus_export_hook import FocusExportHook
from .focus_file import FocusFile
from .focus_hook import FocusVisualizationHook
from .focus_monitor_hook import FocusMonitorHook
from .inferencer import STFInferencer
from .loss_ramp_hook import LossRampHook
from .metrics import DumpScores, MemberAccMetric, WholeDumpResults
from .phase_hook import STFPhaseHook
from .reproducible_hook import ReproducibleHook
from .resume import ResumeCheckHook
from .sanity_hooks import CheckpointCheckHook, SkeletonCheckHook

__all__ = [
    'CUDAGraphHook',
    'CheckpointCheckHook',
    'DumpScores',
    'FeatureExportHook',
    'FocusExportHook',
    'FocusFile',
    'FiniteCheckHook',
    'FocusMonitorHook',
    'FocusVisualizationHook',
    'LossRampHook',
    'MemberAccMetric',
    'ReproducibleHook',
    'ResumeCheckHook',
    'STFInferencer',
    'STFPhaseHook',
    'SafeCheckpointHook',
    'SkeletonCheckHook',
    'WholeDumpResults',
]
