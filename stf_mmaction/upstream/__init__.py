"""All workarounds for faults of other packages.

Seen with mmaction2 1.2.0, mmengine 0.10.7, torch 2.13.0 and NumPy 2.4.
"""

from .patches import apply_patches
from .process import delay_exit_for_gloo, tune_malloc, use_cpu_launcher
from .runner import (
    built_loop,
    check_sliced,
    dataset_of_loader,
    inner_index,
    is_resumed,
    loaded_path,
    replace_dataset,
    seeds_differ,
)

__all__ = [
    'apply_patches',
    'built_loop',
    'check_sliced',
    'dataset_of_loader',
    'delay_exit_for_gloo',
    'inner_index',
    'is_resumed',
    'loaded_path',
    'replace_dataset',
    'seeds_differ',
    'tune_malloc',
    'use_cpu_launcher',
]
