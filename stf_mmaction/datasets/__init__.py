from .layouts import LAYOUTS, Layout, get_layout
from .safe_pickle import safe_load
from .skeleton_dataset import SkeletonDataset
from .transforms import PrepareSkeleton, SkeletonStream

__all__ = [
    'LAYOUTS',
    'Layout',
    'PrepareSkeleton',
    'SkeletonDataset',
    'SkeletonStream',
    'get_layout',
    'safe_load',
]
