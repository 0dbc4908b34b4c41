"""The joints and bones of known skeletons, by name of the layout."""

from typing import Any, Dict, Optional, Tuple

Pairs = Tuple[Tuple[int, int], ...]


def _tree(*chains: str) -> Pairs:
    """Return the (child, parent) of bones in chains, each written from parent to child."""
    bones = []
    for chain in chains:
        joints = [int(joint) for joint in chain.split()]
        bones += [(child, parent) for parent, child in zip(joints, joints[1:])]
    return tuple(sorted(bones))


def _skeleton(
    names: str,
    inward: Pairs,
    center: int,
    height: Tuple[int, int],
    more_pairs: Pairs = (),
) -> Dict[str, Any]:
    """Describe a layout; joints named ``l_x`` and ``r_x`` are a pair."""
    joints = tuple(names.split())
    pairs = tuple(
        (left, joints.index(f'r_{name[2:]}'))
        for left, name in enumerate(joints)
        if name.startswith('l_')
    )
    return dict(
        num_node=len(joints),
        inward=inward,
        center=center,
        names=joints,
        height=height,
        pairs=pairs + more_pairs,
    )


def _ntu(fingers: Tuple[str, ...]) -> Dict[str, Any]:
    """Return Kinect v2 as in NTU RGB+D; variants differ in the parents of the fingers."""
    return _skeleton(
        'spine_base spine_mid neck head l_shoulder l_elbow l_wrist l_hand r_shoulder r_elbow '
        'r_wrist r_hand l_hip l_knee l_ankle l_foot r_hip r_knee r_ankle r_foot spine_shoulder '
        'l_hand_tip l_thumb r_hand_tip r_thumb',
        _tree(
            '20 1 0 12 13 14 15',
            '0 16 17 18 19',
            '20 2 3',
            '20 4 5 6 7',
            '20 8 9 10 11',
            *fingers,
        ),
        center=20,
        height=(3, 15),
    )


_COCO_NAMES = (
    'nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip '
    'r_hip l_knee r_knee l_ankle r_ankle'
)
# In MMAction2's order, as OpenPose's below.
_COCO_BONES = (
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
)
_OPENPOSE_BONES = (
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
)


def _fingers(wrist: int, palm: Optional[int] = None) -> Tuple[str, ...]:
    """Return the chains of five fingers, the joints after ``wrist`` (and ``palm``).

    The thumb starts at the wrist, the others at the palm if there is one.
    """
    first = (wrist if palm is None else palm) + 1
    roots = [wrist] + [wrist if palm is None else palm] * 4
    return tuple(
        ' '.join(map(str, (root, *range(first + 4 * finger, first + 4 * finger + 4))))
        for finger, root in enumerate(roots)
    )


def _finger_names(joints: str, thumb: str) -> str:
    """Return the names of five fingers of four joints."""
    return ' '.join(
        f'{finger}_{joint}'
        for finger in ('thumb', 'index', 'middle', 'ring', 'little')
        for joint in (thumb if finger == 'thumb' else joints).split()
    )


# (left, right) of the 68 points of a face: jaw, brows, nose, eyes, mouth.
_FACE_PAIRS = (
    *((16 - i, i) for i in range(8)),
    *((26 - i, 17 + i) for i in range(5)),
    (35, 31),
    (34, 32),
    *((45 - i, 36 + i) for i in range(4)),
    (47, 40),
    (46, 41),
    *((54 - i, 48 + i) for i in range(3)),
    (55, 59),
    (56, 58),
    (64, 60),
    (63, 61),
    (65, 67),
)


def _whole_body() -> Dict[str, Any]:
    """Return COCO-WholeBody, 133 joints: body, feet, 68 points of a face, hands."""
    numbered = ' '.join(
        f'{part}{i}'
        for part, count in (('face', 68), ('l_hand', 21), ('r_hand', 21))
        for i in range(count)
    )
    feet = tuple((17 + i, 15 + i // 3) for i in range(6))
    face = tuple((j, 0) for j in range(23, 91))  # all attached to the nose
    hands = _tree('9 91', *_fingers(91)), _tree('10 112', *_fingers(112))
    return _skeleton(
        f'{_COCO_NAMES} l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel {numbered}',
        _COCO_BONES + feet + face + hands[0] + hands[1],
        center=0,
        height=(5, 11),
        more_pairs=tuple((23 + left, 23 + right) for left, right in _FACE_PAIRS),
    )


TABLE: Dict[str, Dict[str, Any]] = {
    # As in MMAction2: finger tip and thumb are both attached to the hand.
    'nturgb+d': _ntu(('7 21', '7 22', '11 23', '11 24')),
    # As in the code of MS-G3D: the tip is attached to the thumb.
    'nturgb+d_msg3d': _ntu(('7 22 21', '11 24 23')),
    # OpenPose's COCO model, 18 joints; Kinetics-Skeleton.
    'openpose': _skeleton(
        'nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle '
        'l_hip l_knee l_ankle r_eye l_eye r_ear l_ear',
        _OPENPOSE_BONES,
        center=1,
        height=(1, 8),
    ),
    # OpenPose's default model.
    'body_25': _skeleton(
        'nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist mid_hip r_hip r_knee '
        'r_ankle l_hip l_knee l_ankle r_eye l_eye r_ear l_ear l_big_toe l_small_toe l_heel '
        'r_big_toe r_small_toe r_heel',
        _tree(
            '1 0 15 17',
            '0 16 18',
            '1 2 3 4',
            '1 5 6 7',
            '1 8 9 10 11 22 23',
            '11 24',
            '8 12 13 14 19 20',
            '14 21',
        ),
        center=1,
        height=(1, 8),
    ),
    # MMPose, Detectron2, YOLO; 17 joints.
    'coco': _skeleton(_COCO_NAMES, _COCO_BONES, center=0, height=(5, 11)),
    'coco_wholebody': _whole_body(),
    # Kinect v1, 20 joints; UTD-MHAD, NW-UCLA.
    'kinect20': _skeleton(
        'hip_center spine shoulder_center head l_shoulder l_elbow l_wrist l_hand r_shoulder '
        'r_elbow r_wrist r_hand l_hip l_knee l_ankle l_foot r_hip r_knee r_ankle r_foot',
        _tree('2 1 0 12 13 14 15', '0 16 17 18 19', '2 3', '2 4 5 6 7', '2 8 9 10 11'),
        center=2,
        height=(3, 15),
    ),
    # Azure Kinect's body tracking, 32 joints.
    'azure_kinect': _skeleton(
        'pelvis spine_navel spine_chest neck l_clavicle l_shoulder l_elbow l_wrist l_hand '
        'l_hand_tip l_thumb r_clavicle r_shoulder r_elbow r_wrist r_hand r_hand_tip r_thumb '
        'l_hip l_knee l_ankle l_foot r_hip r_knee r_ankle r_foot head nose l_eye l_ear r_eye r_ear',
        _tree(
            '2 1 0 18 19 20 21',
            '0 22 23 24 25',
            '2 3 26 27',
            '26 28',
            '26 29',
            '26 30',
            '26 31',
            '2 4 5 6 7 8 9',
            '7 10',
            '2 11 12 13 14 15 16',
            '14 17',
        ),
        center=2,
        height=(26, 21),
    ),
    # MediaPipe's pose landmarks, 33 joints; face, mouth and shoulders are attached to the nose.
    'mediapipe_pose': _skeleton(
        'nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear l_mouth '
        'r_mouth l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_little r_little l_index '
        'r_index l_thumb r_thumb l_hip r_hip l_knee r_knee l_ankle r_ankle l_heel r_heel '
        'l_foot_index r_foot_index',
        _tree(
            '0 1 2 3 7',
            '0 4 5 6 8',
            '0 9',
            '0 10',
            '0 11 13 15 17',
            '15 19',
            '15 21',
            '0 12 14 16 18',
            '16 20',
            '16 22',
            '11 23 25 27 29',
            '27 31',
            '12 24 26 28 30',
            '28 32',
        ),
        center=0,
        height=(11, 23),
    ),
    # Human3.6M as in MMPose and VideoPose3D, 17 joints.
    'h36m': _skeleton(
        'pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax neck_base head l_shoulder '
        'l_elbow l_wrist r_shoulder r_elbow r_wrist',
        _tree('8 7 0 1 2 3', '0 4 5 6', '8 9 10', '8 11 12 13', '8 14 15 16'),
        center=8,
        height=(10, 6),
    ),
    # OpenNI, 15 joints; SBU Kinect Interaction.
    'sbu': _skeleton(
        'head neck torso l_shoulder l_elbow l_hand r_shoulder r_elbow r_hand l_hip l_knee l_foot '
        'r_hip r_knee r_foot',
        _tree('2 1 0', '1 3 4 5', '1 6 7 8', '2 9 10 11', '2 12 13 14'),
        center=2,
        height=(0, 11),
    ),
    # Penn Action, 13 joints.
    'penn_action': _skeleton(
        'head l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee '
        'l_ankle r_ankle',
        _tree('0 1 3 5', '0 2 4 6', '1 7 9 11', '2 8 10 12'),
        center=0,
        height=(1, 7),
    ),
    # MediaPipe's hand landmarks, 21 joints of one hand.
    'mediapipe_hand': _skeleton(
        'wrist ' + _finger_names('mcp pip dip tip', 'cmc mcp ip tip'),
        _tree(*_fingers(0)),
        center=0,
        height=(0, 12),
    ),
    # Intel RealSense, 22 joints of one hand; SHREC'17, DHG-14/28.
    'shrec_hand': _skeleton(
        'wrist palm ' + _finger_names('base first second tip', 'base first second tip'),
        _tree('1 0', *_fingers(0, palm=1)),
        center=1,
        height=(0, 13),
    ),
}
