"""STF for MMAction2: supervise when and where a skeleton network looks.

Importing it registers everything; in a config::

    custom_imports = dict(imports=['stf_mmaction'],
                          allow_failed_imports=False)
"""

from .upstream import apply_patches
from .version import __version__

apply_patches()

from . import datasets, engine, models, visualization  # noqa: E402
from .engine import STFInferencer  # noqa: E402

__all__ = [
    'STFInferencer',
    '__version__',
    'datasets',
    'engine',
    'models',
    'apply_patches',
    'visualization',
]
