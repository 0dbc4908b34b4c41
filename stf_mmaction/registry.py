"""Registries of the scope ``stf_mmaction``, each a child of MMAction2's.

Nothing is registered here: the components of this package are MMAction2's to
find. MMEngine builds what a config inherits by ``_base_ = 'stf_mmaction::...'``
in this scope, and a child looks in its parent for what it lacks.
"""

from mmaction import registry as _parents
from mmengine.registry import Registry

CHILDREN = {
    name: Registry(parent.name, parent=parent, scope='stf_mmaction', locations=['stf_mmaction'])
    for name, parent in vars(_parents).items()
    if isinstance(parent, Registry)
}
