"""Skeleton layouts: the single source of graph, bones, normalisation and drawing."""

from collections import Counter
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

from stf_mmaction.files import read_json

from .layout_table import TABLE, Pairs

# A body with face and hands has 133; a graph has several matrices of this size squared.
MAX_JOINTS, MAX_BONES = 2000, 20_000


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton and how they are connected.

    Attributes:
        num_node (int): V.
        inward (tuple[tuple[int, int]]): (child, parent) of each bone. Bone
            streams and pictures require a tree; the graph may have rings.
        center (int): The joint that is moved to the origin.
        names (tuple[str], optional): Names of the V joints.
        height (tuple[int, int], optional): Two joints; body height is the
            length of the shortest path along the skeleton between them.
        pairs (tuple[tuple[int, int]]): (left, right) joints, which
            :class:`RandomSkeletonMirror` exchanges.
        name (str): Key of ``LAYOUTS``; empty for a custom layout.

    Raises:
        ValueError: If the bones do not connect all joints.
    """

    num_node: int
    inward: Pairs
    center: int
    names: Optional[Tuple[str, ...]] = None
    height: Optional[Tuple[int, int]] = None
    pairs: Pairs = ()
    name: str = ''

    def __post_init__(self) -> None:
        if not 0 < self.num_node <= MAX_JOINTS:
            raise ValueError(
                f'num_node={self.num_node} of a layout is not the number of joints of a skeleton: '
                f'use 1 to {MAX_JOINTS}'
            )
        if len(self.inward) > MAX_BONES or len(self.pairs) > MAX_BONES:
            raise ValueError(
                f'a layout has {len(self.inward)} bones and {len(self.pairs)} pairs: up to '
                f'{MAX_BONES} are read'
            )
        joints = [
            j
            for pair in (*self.inward, *self.pairs, self.height or ())
            for j in (pair if isinstance(pair, tuple) else (pair,))
        ]
        wrong = [j for j in (*joints, self.center) if not 0 <= j < self.num_node]
        if wrong:
            raise ValueError(
                f'joint {wrong[0]} of a layout with num_node='
                f'{self.num_node} does not exist: joints are '
                f'0 to {self.num_node - 1}'
            )
        loops = [child for child, parent in self.inward if child == parent]
        if loops:
            raise ValueError(
                f"joint {loops[0]} of a layout is its own parent: remove that pair from 'inward'"
            )
        apart = set(range(self.num_node)) - set(self._toward(self.center))
        if apart:
            raise ValueError(
                f'joint {min(apart)} of a layout is not connected to joint '
                f"{self.center}: 'inward' must join all {self.num_node} "
                'joints'
            )
        if self.names is not None and len(self.names) != self.num_node:
            raise ValueError(
                f'a layout has {len(self.names)} names for '
                f'{self.num_node} joints: give one for each'
            )

    def _toward(self, start: int) -> Dict[int, int]:
        """Return the next joint on a shortest path to ``start``, for each joint that has one."""
        near: Dict[int, List[int]] = {j: [] for j in range(self.num_node)}
        for child, parent in self.inward:
            near[child].append(parent)
            near[parent].append(child)
        toward, queue = {start: start}, [start]
        for joint in queue:  # it grows
            for other in near[joint]:
                if other not in toward:
                    toward[other] = joint
                    queue.append(other)
        return toward

    @property
    def parents(self) -> Tuple[int, ...]:
        """tuple[int]: The parent of each joint; the root is its own.

        Raises:
            ValueError: If the layout is not a tree.
        """
        children = [child for child, _ in self.inward]
        twice = {child for child, count in Counter(children).items() if count > 1}
        if twice:
            raise ValueError(
                f'joint {min(twice)} of a layout has several parents: for bones and pictures, '
                "'inward' must name each child once"
            )
        if len(children) == self.num_node:
            raise ValueError(
                "the bones of a layout form a ring: for bones and pictures, 'inward' must be a "
                'tree of (child, parent) pairs'
            )
        parents = dict(self.inward)
        return tuple(parents.get(j, j) for j in range(self.num_node))

    @property
    def root(self) -> int:
        """int: The joint that has no parent; raises as :attr:`parents` does."""
        return next(j for j, p in enumerate(self.parents) if j == p)

    def path(self, start: int, end: int) -> Tuple[int, ...]:
        """Return the shortest path along the skeleton from ``start`` to ``end``.

        Args:
            start (int): The first joint.
            end (int): The last joint.

        Returns:
            tuple[int]: The joints of the path, including both ends.
        """
        toward, way = self._toward(start), [end]
        while way[-1] != start:
            way.append(toward[way[-1]])
        return tuple(reversed(way))


LAYOUTS: Dict[str, Layout] = {name: Layout(name=name, **joints) for name, joints in TABLE.items()}


def get_layout(layout: Union[str, Dict, Layout]) -> Layout:
    """Return a layout by its name, from a JSON file or from a dict.

    Args:
        layout (str or dict): A key of ``LAYOUTS``, or a dict as for
            MMAction2's ``Graph`` (``num_node``, ``inward``, ``center``),
            optionally with ``names``, ``height`` and ``pairs``, or the path of
            a ``.json`` file with such a dict.

    Returns:
        Layout: The layout.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the name is unknown or the dict is not a skeleton.
    """
    if isinstance(layout, Layout):
        return layout
    if isinstance(layout, str) and layout.endswith('.json'):
        layout = _read(Path(layout))
    if isinstance(layout, str):
        if layout not in LAYOUTS:
            raise ValueError(
                f'layout {layout!r} is unknown: use one of '
                f'{sorted(LAYOUTS)}, a dict with num_node, '
                'inward and center, or a .json file with one'
            )
        return LAYOUTS[layout]
    if not isinstance(layout, dict):
        raise ValueError(
            f'layout {layout!r:.200} is neither a name nor a dict: '
            f'use one of {sorted(LAYOUTS)} or a dict with '
            'num_node, inward and center'
        )
    known = list(Layout.__dataclass_fields__)
    missing = [k for k in ('num_node', 'inward', 'center') if k not in layout]
    if missing:
        raise ValueError(f'a layout dict lacks {missing}: add them')
    # MMEngine leaves its ``_delete_`` in parts of a config that replace nothing.
    layout = {key: value for key, value in layout.items() if key != '_delete_'}
    unknown = [key for key in layout if key not in known]
    if unknown:
        raise ValueError(f'a layout dict has unknown keys {unknown[:5]}: known are {known}')
    return Layout(**{key: _field(key, layout[key]) for key in layout})


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f'layout file {path} does not exist')
    return read_json(path)


def _pairs(value: Iterable) -> Pairs:
    return tuple((index(a), index(b)) for a, b in value)


# Converts what a config may contain (lists) to what a layout holds (tuples).
_FIELDS = dict(
    num_node=(index, 'a whole number'),
    center=(index, 'a whole number'),
    inward=(_pairs, 'pairs of (child, parent) joints'),
    pairs=(lambda value: _pairs(value or ()), 'pairs of (left, right) joints'),
    height=(lambda value: None if value is None else _pairs([value])[0], 'two joints, or None'),
    names=(
        lambda value: None if value is None else tuple(map(str, value)),
        'a list of text, or None',
    ),
    name=(str, 'text'),
)


def _field(key: str, value: Any) -> Any:
    convert, needed = _FIELDS[key]
    try:
        return convert(value)
    except (TypeError, ValueError):
        raise ValueError(
            f'{key}={value!r:.200} of a layout cannot be read: it must be {needed}'
        ) from None
