"""Registries of the scope ``stf_mmaction``, each a child of MMAction2's.

Nothing is registered here: the components of this package are in MMAction2's
registries. MMEngine builds parts that a config inherits by ``_base_ =
'stf_mmaction::...'`` in this scope, and a child registry falls back to its
parent.
"""

from mmaction import registry as _parents
from mmengine.registry import Registry

CHILDREN = {
    name: Registry(parent.name, parent=parent, scope='stf_mmaction', locations=['stf_mmaction'])
    for name, parent in vars(_parents).items()
    if isinstance(parent, Registry)
}
