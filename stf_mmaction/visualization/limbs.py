"""Find the limbs of a skeleton of any layout."""

from typing import Dict, List, NamedTuple, Set, Tuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

# Words in the names of joints, and the names of their limbs.
_FINGERS = ('thumb', 'index', 'middle', 'ring', 'little', 'pinky')
_WORDS = (
    (('face',), 'face'),
    (('head', 'nose', 'eye', 'ear', 'mouth'), 'head'),
    (('elbow', 'wrist'), 'arm'),
    (('hand',), 'hand'),
    (('knee', 'ankle', 'foot'), 'leg'),
)


class Limb(NamedTuple):
    """Joints that are connected.

    Attributes:
        name (str): Such as ``'left arm'``; empty if joints have no names.
        joints (tuple[int]): In the order along the skeleton.
    """

    name: str
    joints: Tuple[int, ...]


def joint_order(layout: Layout) -> List[int]:
    """Return all joints limb by limb, children right after their parents.

    Args:
        layout (Layout): The skeleton, which may have rings.
    """
    near = _neighbours(layout)
    children = {child for child, _ in layout.inward}
    roots = [j for j in range(layout.num_node) if j not in children]
    stack, order = [roots[0] if len(roots) == 1 else layout.center], []
    while stack:
        joint = stack.pop()
        if joint in order:
            continue
        order.append(joint)
        stack += sorted(near[joint] - set(order), reverse=True)
    return order


def limbs(layout: Layout) -> List[Limb]:
    """Split a skeleton into its trunk and its limbs, the trunk first.

    A joint where three or more parts of at least two joints meet, such as a
    shoulder or a hip, is a hub. Hubs and the joints between them are the
    trunk; every other part is a limb. Single joints on the same hub, such as
    the points of a face, are one limb.

    Args:
        layout (Layout): The skeleton, which may have rings.
    """
    near, order = _neighbours(layout), joint_order(layout)
    everything = set(range(layout.num_node))
    hubs = {
        joint
        for joint in everything
        if sum(len(part) > 1 for part in _parts(everything - {joint}, near)) > 2
    }
    trunk, outer = set(hubs), []
    single: Dict[int, Set[int]] = {}
    for part in _parts(everything - hubs, near):
        touched = {other for joint in part for other in near[joint]} & hubs
        if len(touched) != 1:
            trunk |= part
        elif len(part) > 1:
            outer.append(part)
        else:
            single.setdefault(touched.pop(), set()).update(part)
    outer += single.values()
    parts = [trunk] * bool(trunk) + sorted(outer, key=lambda part: min(map(order.index, part)))
    groups = [tuple(sorted(part, key=order.index)) for part in parts]
    found = [Limb(_name(joints, layout, joints[0] in trunk), joints) for joints in groups]
    from_above = ('trunk', 'head', 'face', 'arm', 'hand', 'leg')
    kinds = [limb.name.split(' ')[-1] for limb in found]
    ranks = [from_above.index(kind) if kind in from_above else 0 for kind in kinds]
    return [found[i] for i in sorted(range(len(found)), key=lambda i: ranks[i])]


def _neighbours(layout: Layout) -> Dict[int, Set[int]]:
    near: Dict[int, Set[int]] = {j: set() for j in range(layout.num_node)}
    for child, parent in layout.inward:
        near[child].add(parent)
        near[parent].add(child)
    return near


def _parts(joints: Set[int], near: Dict[int, Set[int]]) -> List[Set[int]]:
    """Return the connected parts of a set of joints."""
    left, parts = set(joints), []
    while left:
        part, stack = set(), [min(left)]
        while stack:
            joint = stack.pop()
            if joint not in part:
                part.add(joint)
                stack += near[joint] & left
        parts.append(part)
        left -= part
    return parts


def _name(joints: Tuple[int, ...], layout: Layout, is_trunk: bool) -> str:
    if layout.names is None:
        return ''
    names = [layout.names[joint].lower() for joint in joints]
    if is_trunk:
        return 'trunk'
    side = ''
    for prefix, word in (('l', 'left '), ('r', 'right ')):
        if all(n.startswith((f'{prefix}_', word.strip())) for n in names):
            side = word
    for finger in _FINGERS:
        if 2 * sum(finger in name for name in names) > len(names):
            return side + finger
    for words, limb in _WORDS:
        if any(word in name for word in words for name in names):
            return f'{side}face' if side and limb == 'head' else side + limb
    return side + names[-1].split('_', 1)[-1] if side else layout.names[joints[-1]]


def row_order(layout: Layout) -> np.ndarray:
    """Return the joints in the order of their limbs, shape (V,)."""
    return np.array([joint for limb in limbs(layout) for joint in limb.joints])
