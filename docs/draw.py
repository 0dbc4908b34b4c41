"""Draw the pictures of docs/augmentation.md and docs/layouts.md.

``python docs/draw.py`` writes them to docs/images.
"""

import argparse
import io
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
from matplotlib.figure import Figure
from mmaction.registry import TRANSFORMS
from PIL import Image

from stf_mmaction.datasets import LAYOUTS, Layout, get_layout, safe_load
from stf_mmaction.visualization.clip_figure import draw_pose

HERE = Path(__file__).parent
DATA, CLIP, LAYOUT = HERE.parent / 'tools/demo_data/ui_prmd_tiny.pkl', 'm02_s01_e01', 'kinect20'
POSES = 8
# One picture each; what is random is drawn with this seed.
AUGMENTATIONS = {
    'rotation': (dict(type='RandomSkeletonRotation', angle=0.5, tilt=0.1), 3),
    'scale': (dict(type='RandomSkeletonScale', ratio=0.2), 1),
    'jitter': (dict(type='RandomSkeletonJitter', std=0.02), 0),
    'mirror': (dict(type='RandomSkeletonMirror', layout=LAYOUT, p=1.0), 0),
    'erasing': (dict(type='RandomJointErasing', p=1.0), 14),
    'crop': (dict(type='RandomFrameCrop', frames=(0.5, 0.7)), 2),
    'speed': (dict(type='RandomSpeed', factor=1.5), 1),
    'warp': (dict(type='RandomTimeWarp', factor=3.0), 5),
    'resample': (dict(type='ResampleFrames', length=20), 0),
}
# Place of each joint in a person who faces the reader; the right is mirrored.
BODY = dict(
    head=(0, 1.72),
    nose=(0, 1.66),
    neck_base=(0, 1.52),
    neck=(0, 1.48),
    spine_shoulder=(0, 1.4),
    shoulder_center=(0, 1.42),
    thorax=(0, 1.4),
    spine_chest=(0, 1.32),
    spine_mid=(0, 1.18),
    spine=(0, 1.18),
    torso=(0, 1.15),
    spine_navel=(0, 1.14),
    spine_base=(0, 0.98),
    hip_center=(0, 0.98),
    pelvis=(0, 0.98),
    mid_hip=(0, 0.98),
    l_clavicle=(0.09, 1.4),
    l_shoulder=(0.22, 1.4),
    l_elbow=(0.42, 1.2),
    l_wrist=(0.6, 1.0),
    l_hand=(0.66, 0.93),
    l_hand_tip=(0.86, 0.76),
    l_thumb=(0.52, 0.8),
    l_index=(0.86, 0.82),
    l_little=(0.7, 0.72),
    l_hip=(0.13, 0.93),
    l_knee=(0.18, 0.52),
    l_ankle=(0.2, 0.12),
    l_heel=(0.08, 0.0),
    l_foot=(0.3, 0.04),
    l_big_toe=(0.26, -0.1),
    l_small_toe=(0.44, 0.0),
    l_foot_index=(0.38, -0.04),
    l_eye_inner=(0.04, 1.76),
    l_eye=(0.08, 1.78),
    l_eye_outer=(0.12, 1.76),
    l_ear=(0.17, 1.7),
    l_mouth=(0.06, 1.57),
)
FINGERS = ('thumb', 'index', 'middle', 'ring', 'little')


# Parts of COCO-WholeBody, which lie far apart in size.
PARTS = {
    'body and feet': range(23),
    'face': range(23, 91),
    'left hand': range(91, 112),
    'right hand': range(112, 133),
}


def place_joints(layout: Layout) -> np.ndarray:
    """Return a place for each joint of a known layout, (V, 2).

    Of COCO-WholeBody, face and hands are each in their own measure.
    """
    joints = layout.names
    if 'thumb_tip' in joints:
        return np.array([_hand(joints, name) for name in joints])
    if 'face0' in joints:
        fingers = get_layout('mediapipe_hand').names
        hand = np.array([_hand(fingers, name) for name in fingers])
        body = [_body(name) for name in joints[:23]]
        # Seen by a reader whom the person faces, palms forward.
        return np.concatenate([body, _face(), hand, hand * [-1, 1]])
    return np.array([_body(name) for name in joints])


def _face() -> np.ndarray:
    """Return the 68 points of a face, (68, 2): jaw, brows, nose, eyes, mouth."""
    turn = np.linspace(-np.pi, 0, 17)
    jaw = np.stack([np.cos(turn), 1.15 * np.sin(turn)], 1)
    brow = np.array([(-0.8, 0.42), (-0.65, 0.55), (-0.48, 0.58), (-0.32, 0.54), (-0.18, 0.46)])
    bridge = np.array([(0, y) for y in (0.25, 0.1, -0.05, -0.2)])
    nostrils = np.array([(-0.2, -0.34), (-0.1, -0.38), (0, -0.4), (0.1, -0.38), (0.2, -0.34)])
    eye = np.array(
        [(-0.7, 0.2), (-0.57, 0.28), (-0.42, 0.28), (-0.28, 0.18), (-0.42, 0.12), (-0.57, 0.12)]
    )
    turn = np.pi - 2 * np.pi * np.arange(12) / 12
    outer = np.stack([0.4 * np.cos(turn), -0.68 + 0.17 * np.sin(turn)], 1)
    turn = np.pi - 2 * np.pi * np.arange(8) / 8
    inner = np.stack([0.25 * np.cos(turn), -0.68 + 0.07 * np.sin(turn)], 1)
    mirror = [-1, 1]
    left_eye = (eye * mirror)[[3, 2, 1, 0, 5, 4]]
    parts = (jaw, brow, (brow * mirror)[::-1], bridge, nostrils, eye, left_eye, outer, inner)
    return np.concatenate(parts)


def _body(name: str) -> Tuple[float, float]:
    if name.startswith('r_'):
        x, y = BODY[f'l_{name[2:]}']
        return -x, y
    return BODY[name]


def _hand(joints: Tuple[str, ...], name: str) -> Tuple[float, float]:
    if name in ('wrist', 'palm'):
        return 0, 0.45 * (name == 'palm')
    finger = FINGERS.index(name.split('_')[0])
    step = [j for j in joints if j.startswith(FINGERS[finger])].index(name)
    angle = np.pi * (0.78 - 0.135 * finger)
    start, length = (0.3, 0.28) if finger == 0 else (0.8, 0.22)
    reach = start + length * step
    return reach * np.cos(angle), reach * np.sin(angle)


def draw_layouts(path: Path) -> None:
    """Draw every layout with the numbers of its joints, but for COCO-WholeBody."""
    shown = [name for name in LAYOUTS if name != 'coco_wholebody']
    figure = Figure(figsize=(14, 10), layout='constrained')
    for axes, name in zip(figure.subplots(3, -(-len(shown) // 3)).flat, shown):
        layout = get_layout(name)
        _draw_joints(axes, layout, range(layout.num_node))
        axes.set_title(f'{name} ({layout.num_node})', fontsize=10)
    for axes in figure.axes[len(shown) :]:
        axes.remove()
    save(figure, path, 80)


def draw_whole_body(path: Path) -> None:
    """Draw the parts of COCO-WholeBody beside each other."""
    figure = Figure(figsize=(14, 5), layout='constrained')
    axes = figure.subplots(1, 4, width_ratios=(3, 4, 3, 3))
    for part, (title, joints) in zip(axes, PARTS.items()):
        _draw_joints(part, get_layout('coco_wholebody'), joints)
        part.set_title(f'{title} ({joints[0]} to {joints[-1]})', fontsize=10)
    save(figure, path, 80)


def _draw_joints(axes, layout: Layout, joints: range) -> None:
    """Draw some joints of a layout, their bones and numbers."""
    places, shown = place_joints(layout), np.isin(np.arange(layout.num_node), joints)
    draw_pose(axes, places, shown, layout, size=16)
    if layout.center in joints:
        axes.scatter(*places[layout.center], s=110, facecolors='none', edgecolors='k')
    for joint in joints:
        is_left = places[joint, 0] < 0
        axes.annotate(
            str(joint),
            places[joint],
            (-4, 2) if is_left else (4, 2),
            textcoords='offset points',
            fontsize=7,
            ha='right' if is_left else 'left',
        )
    axes.set_aspect('equal')
    axes.margins(0.12)
    axes.set_axis_off()


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a picture with 32 colours, a third of the size."""
    with io.BytesIO() as buffer:
        figure.savefig(buffer, dpi=dpi)
        Image.open(buffer).convert('RGB').quantize(32).save(path, optimize=True)


def draw_augmentation(path: Path, before: Dict, after: Dict) -> None:
    """Draw poses at the same frames of both clips, the first in grey."""
    layout = get_layout(LAYOUT)
    figure = Figure(figsize=(11, 2.2))
    axes = figure.add_axes((0, 0, 1, 1))
    step = 1.25 * np.ptp(before['keypoint'][..., 0])
    for place, share in enumerate(np.linspace(0, 1, POSES)):
        for clip in (before, after):
            frame = round(share * (before['keypoint'].shape[1] - 1))
            frame = min(frame, clip['keypoint'].shape[1] - 1)
            pose = clip['keypoint'][0, frame, :, :2] + [place * step, 0]
            seen = clip['visibility'][0, frame] > 0
            if clip is before:
                for child, parent in layout.inward:
                    axes.plot(*pose[[child, parent]].T, color='0.85', linewidth=4, zorder=0)
            else:
                draw_pose(axes, pose, seen, layout)
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_axis_off()
    save(figure, path, 70)


def draw_augmentations(folder: Path) -> None:
    """Draw every augmentation on the same clip."""
    clips = {clip['frame_dir']: clip for clip in safe_load(DATA)['annotations']}
    prepare = TRANSFORMS.build(dict(type='PrepareSkeleton', layout=LAYOUT))
    before = prepare.transform(dict(clips[CLIP]))
    for name, (kind, seed) in AUGMENTATIONS.items():
        np.random.seed(seed)
        after = TRANSFORMS.build(kind).transform(dict(before))
        draw_augmentation(folder / f'augment_{name}.png', before, after)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=HERE / 'images', help='folder to write to')
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    draw_layouts(folder / 'layouts.png')
    draw_whole_body(folder / 'layout_coco_wholebody.png')
    draw_augmentations(folder)
    print(f'wrote {len(AUGMENTATIONS) + 2} pictures to {folder}')


if __name__ == '__main__':
    main()
