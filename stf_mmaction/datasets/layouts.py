"""Skeleton layouts: the one source of graph, bones, normalisation, drawing."""

import json
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

Pairs = Tuple[Tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton and how they hang together.

    Attributes:
        num_node (int): V.
        inward (tuple[tuple[int, int]]): (child, parent) of each bone. The
            stream of bones and the picture want a tree; the graph may have
            rings.
        center (int): The joint that normalisation moves to the origin.
        names (tuple[str], optional): Of the joints, V of them.
        height (tuple[int, int], optional): Two joints; body height is the
            length of the shortest path along the skeleton between them.
        pairs (tuple[tuple[int, int]]): (left, right) joints, as
            ``left_kp, right_kp = zip(*pairs)`` for MMAction2's ``Flip``.
        name (str): Key of ``LAYOUTS``; empty for a custom layout.

    Raises:
        ValueError: If this does not connect all joints.
    """

    num_node: int
    inward: Pairs
    center: int
    names: Optional[Tuple[str, ...]] = None
    height: Optional[Tuple[int, int]] = None
    pairs: Pairs = ()
    name: str = ''

    def __post_init__(self) -> None:
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
                f'joint {loops[0]} of a layout is its own parent: take that pair out of \'inward\''
            )
        apart = set(range(self.num_node)) - set(self._ways(self.center))
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

    def _ways(self, start: int) -> Dict[int, Tuple[int, ...]]:
        """A shortest path from a joint to each that is connected to it."""
        near: Dict[int, List[int]] = {j: [] for j in range(self.num_node)}
        for child, parent in self.inward:
            near[child].append(parent)
            near[parent].append(child)
        ways, queue = {start: (start,)}, [start]
        for joint in queue:  # it grows
            for other in near[joint]:
                if other not in ways:
                    ways[other] = (*ways[joint], other)
                    queue.append(other)
        return ways

    @property
    def parents(self) -> Tuple[int, ...]:
        """tuple[int]: The parent of each joint; the root is its own.

        Raises:
            ValueError: If the layout is not a tree.
        """
        children = [child for child, _ in self.inward]
        twice = {c for c in children if children.count(c) > 1}
        if twice:
            raise ValueError(
                f'joint {min(twice)} of a layout has several parents: for '
                "bones and pictures 'inward' must name each child once"
            )
        if len(children) == self.num_node:
            raise ValueError(
                "the bones of a layout form a circle: for bones and pictures "
                "'inward' must be a tree of (child, parent) pairs"
            )
        parents = dict(self.inward)
        return tuple(parents.get(j, j) for j in range(self.num_node))

    @property
    def root(self) -> int:
        """int: The joint that has no parent; an error as of parents."""
        return next(j for j, p in enumerate(self.parents) if j == p)

    def path(self, start: int, end: int) -> Tuple[int, ...]:
        """The fewest joints along the skeleton from ``start`` to ``end``.

        Args:
            start (int): The first joint.
            end (int): The last joint.

        Returns:
            tuple[int]: The joints of the way, both ends among them.
        """
        return self._ways(start)[end]


def _names(text: str) -> Tuple[str, ...]:
    return tuple(text.split())


_NTU_NAMES = _names(
    'spine_base spine_mid neck head l_shoulder l_elbow l_wrist l_hand '
    'r_shoulder r_elbow r_wrist r_hand l_hip l_knee l_ankle l_foot r_hip '
    'r_knee r_ankle r_foot spine_shoulder l_hand_tip l_thumb r_hand_tip '
    'r_thumb'
)
_NTU_BODY = (
    (0, 1),
    (1, 20),
    (2, 20),
    (3, 2),
    (4, 20),
    (5, 4),
    (6, 5),
    (7, 6),
    (8, 20),
    (9, 8),
    (10, 9),
    (11, 10),
    (12, 0),
    (13, 12),
    (14, 13),
    (15, 14),
    (16, 0),
    (17, 16),
    (18, 17),
    (19, 18),
)
_NTU = dict(
    num_node=25,
    center=20,
    names=_NTU_NAMES,
    height=(3, 15),
    pairs=(
        (4, 8),
        (5, 9),
        (6, 10),
        (7, 11),
        (12, 16),
        (13, 17),
        (14, 18),
        (15, 19),
        (21, 23),
        (22, 24),
    ),
)

LAYOUTS: Dict[str, Layout] = {
    # As in MMAction2: finger tip and thumb both hang on the hand.
    'nturgb+d': Layout(
        name='nturgb+d', inward=_NTU_BODY + ((21, 7), (22, 7), (23, 11), (24, 11)), **_NTU
    ),
    # As in the code of MS-G3D: the tip hangs on the thumb.
    'nturgb+d_msg3d': Layout(
        name='nturgb+d_msg3d', inward=_NTU_BODY + ((21, 22), (22, 7), (23, 24), (24, 11)), **_NTU
    ),
    'openpose': Layout(
        name='openpose',
        num_node=18,
        inward=(
            (4, 3),
            (3, 2),
            (7, 6),
            (6, 5),
            (13, 12),
            (12, 11),
            (10, 9),
            (9, 8),
            (11, 5),
            (8, 2),
            (5, 1),
            (2, 1),
            (0, 1),
            (15, 0),
            (14, 0),
            (17, 15),
            (16, 14),
        ),
        center=1,
        names=_names(
            'nose neck r_shoulder r_elbow r_wrist l_shoulder '
            'l_elbow l_wrist r_hip r_knee r_ankle l_hip l_knee '
            'l_ankle r_eye l_eye r_ear l_ear'
        ),
        height=(1, 8),
        pairs=((5, 2), (6, 3), (7, 4), (11, 8), (12, 9), (13, 10), (15, 14), (17, 16)),
    ),
    'coco': Layout(
        name='coco',
        num_node=17,
        inward=(
            (15, 13),
            (13, 11),
            (16, 14),
            (14, 12),
            (11, 5),
            (12, 6),
            (9, 7),
            (7, 5),
            (10, 8),
            (8, 6),
            (5, 0),
            (6, 0),
            (1, 0),
            (3, 1),
            (2, 0),
            (4, 2),
        ),
        center=0,
        names=_names(
            'nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder '
            'l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee '
            'r_knee l_ankle r_ankle'
        ),
        height=(5, 11),
        pairs=tuple((left, left + 1) for left in range(1, 17, 2)),
    ),
    # Kinect v1, 20 joints.
    'kinect20': Layout(
        name='kinect20',
        num_node=20,
        inward=(
            (0, 1),
            (1, 2),
            (3, 2),
            (4, 2),
            (5, 4),
            (6, 5),
            (7, 6),
            (8, 2),
            (9, 8),
            (10, 9),
            (11, 10),
            (12, 0),
            (13, 12),
            (14, 13),
            (15, 14),
            (16, 0),
            (17, 16),
            (18, 17),
            (19, 18),
        ),
        center=2,
        names=_names(
            'hip_center spine shoulder_center head l_shoulder '
            'l_elbow l_wrist l_hand r_shoulder r_elbow r_wrist '
            'r_hand l_hip l_knee l_ankle l_foot r_hip r_knee '
            'r_ankle r_foot'
        ),
        height=(3, 15),
        pairs=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    ),
}


def _hand(root: int, wrist: int) -> Pairs:
    """21 joints of a hand on a wrist: a root and five fingers of four."""
    fingers = [
        (root + 4 * f + i, root + 4 * f + i - 1 if i > 1 else root)
        for f in range(5)
        for i in range(1, 5)
    ]
    return ((root, wrist), *fingers)


def _whole_body() -> Layout:
    """COCO-WholeBody, 133 joints: body, feet, 68 points of a face, hands."""
    body = LAYOUTS['coco']
    feet = tuple((17 + i, 15 + i // 3) for i in range(6))
    face = tuple((j, 0) for j in range(23, 91))  # all on the nose
    toes = _names('l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel')
    numbered = [
        f'{part}{i}'
        for part, count in (('face', 68), ('l_hand', 21), ('r_hand', 21))
        for i in range(count)
    ]
    return Layout(
        name='coco_wholebody',
        num_node=133,
        inward=body.inward + feet + face + _hand(91, 9) + _hand(112, 10),
        center=0,
        names=(*body.names, *toes, *numbered),
        height=body.height,
        pairs=body.pairs
        + tuple((j, j + 3) for j in range(17, 20))
        + tuple((j, j + 21) for j in range(91, 112)),
    )


LAYOUTS['coco_wholebody'] = _whole_body()


def get_layout(layout: Union[str, Dict, Layout]) -> Layout:
    """A layout by its name, from a JSON file or from a dict.

    Args:
        layout (str or dict): A key of ``LAYOUTS``, or a dict as MMAction2's
            ``Graph`` takes it (``num_node``, ``inward``, ``center``), with
            ``names``, ``height`` and ``pairs`` if there are any, or the path
            of a ``.json`` file with such a dict.

    Returns:
        Layout: The layout.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the name is unknown or the dict is no skeleton.
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
            f'layout {layout!r} is neither a name nor a dict: '
            f'use one of {sorted(LAYOUTS)} or a dict with '
            'num_node, inward and center'
        )
    known = list(Layout.__dataclass_fields__)
    missing = [k for k in ('num_node', 'inward', 'center') if k not in layout]
    if missing:
        raise ValueError(f'a layout dict lacks {missing}: add them')
    unknown = [key for key in layout if key not in known]
    if unknown:
        raise ValueError(f'a layout dict has unknown keys {unknown}: it takes {known}')
    return Layout(**{key: _field(key, layout[key]) for key in layout})


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f'layout file {path} does not exist')
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f'layout file {path} is not JSON: {error}') from None


def _pairs(value: Iterable) -> Pairs:
    return tuple((index(a), index(b)) for a, b in value)


# What a config may write (lists) to what a layout holds (tuples).
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
            f'{key}={value!r} of a layout cannot be read: it must be {needed}'
        ) from None
