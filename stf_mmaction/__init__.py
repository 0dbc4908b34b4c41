"""STF for MMAction2: supervise when and where a skeleton network looks.

Importing it registers everything; in a config::

    custom_imports = dict(imports=['stf_mmaction'],
                          allow_failed_imports=False)

Without MMAction2 and MMEngine, ``stf_mmaction.focus`` and the functions of
``stf_mmaction.losses`` work on any PyTorch network; nothing else is available.
"""

from importlib.util import find_spec

from .version import __version__

__all__ = ['__version__']

if find_spec('mmengine') or find_spec('mmaction'):
    from .upstream import apply_patches

    apply_patches()

    from . import datasets, engine, models, registry, visualization
    from .engine import STFInferencer

    __all__ += [
        'STFInferencer',
        'apply_patches',
        'datasets',
        'engine',
        'models',
        'registry',
        'visualization',
    ]
