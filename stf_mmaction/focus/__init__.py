"""Gradient focus in plain PyTorch, for any network; independent of MMEngine."""

from .maps import (
    focus_map,
    gradient_weights,
    last_gradient,
    last_weights,
    lower_weights,
    mean_of_places,
    min_max,
)
from .masking import frozen_running_stats, mask_inputs, present_persons, resize_focus
from .measures import coverage, distance, entropy, overlap
from .resample import focus_of_frames, frame_weights

__all__ = [
    'coverage',
    'distance',
    'entropy',
    'focus_map',
    'focus_of_frames',
    'frame_weights',
    'frozen_running_stats',
    'gradient_weights',
    'last_gradient',
    'last_weights',
    'lower_weights',
    'mask_inputs',
    'mean_of_places',
    'min_max',
    'overlap',
    'present_persons',
    'resize_focus',
]
