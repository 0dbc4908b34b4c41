from stf_mmaction.files import safe_load

from .augment import (
    RandomJointErasing,
    RandomSkeletonJitter,
    RandomSkeletonMirror,
    RandomSkeletonRotation,
    RandomSkeletonScale,
)
from .augment_time import RandomFrameCrop, RandomSpeed, RandomTimeWarp, ResampleFrames
from .concat import SkeletonConcatDataset
from .layouts import LAYOUTS, Layout, get_layout
from .persons import SelectPersons
from .skeleton_dataset import SkeletonDataset
from .transforms import PrepareSkeleton, SkeletonStream

__all__ = [
    'LAYOUTS',
    'Layout',
    'PrepareSkeleton',
    'RandomFrameCrop',
    'RandomJointErasing',
    'RandomSkeletonJitter',
    'RandomSkeletonMirror',
    'RandomSkeletonRotation',
    'RandomSkeletonScale',
    'RandomSpeed',
    'RandomTimeWarp',
    'ResampleFrames',
    'SelectPersons',
    'SkeletonConcatDataset',
    'SkeletonDataset',
    'SkeletonStream',
    'get_layout',
    'safe_load',
]
