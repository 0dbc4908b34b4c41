"""Pictures of a skeleton over time with what a network looks at."""

from typing import Dict, List, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from stf_mmaction.datasets.layouts import Layout

COLORS = 'inferno'
POSES = 7  # frames drawn of each clip
LABELS = 30  # joints named beside each clip at most


class FocusedClip(NamedTuple):
    """A clip and where a network looks in it.

    Attributes:
        keypoint (numpy.ndarray): One person's joints, shape (T, V, 2 or 3).
        focus (numpy.ndarray): In [0, 1], shape (T, V).
        title (str): Shown above the clip.
    """

    keypoint: np.ndarray
    focus: np.ndarray
    title: str


def draw_focus(clips: List[FocusedClip], layout: Layout) -> Figure:
    """Draw clips below each other: poses over time, then joints over frames.

    Args:
        clips (list[FocusedClip]): What to draw.
        layout (Layout): The skeleton.

    Returns:
        matplotlib.figure.Figure: Bright and large is where the network looks.

    Raises:
        ValueError: If there is no clip.
    """
    if not clips:
        raise ValueError('there is no clip to draw: choose at least one')
    rows = len(clips)
    figure = Figure(figsize=(14, 0.6 + 2.9 * rows), layout='constrained')
    grid = figure.add_gridspec(rows, 2, width_ratios=(3, 2))
    order = _joint_order(layout)
    for row, clip in enumerate(clips):
        poses = figure.add_subplot(grid[row, 0])
        _draw_poses(poses, clip, layout)
        poses.set_title(clip.title, loc='left', fontsize=10)
        heat = figure.add_subplot(grid[row, 1])
        image = heat.imshow(
            clip.focus.T[order], aspect='auto', cmap=COLORS, vmin=0, vmax=1, interpolation='nearest'
        )
        heat.set_xlabel('frame', fontsize=8)
        names = layout.names or [str(j) for j in range(layout.num_node)]
        # Of a whole body with hands and face there is room for some only.
        ticks = range(0, len(order), -(-len(order) // LABELS))
        heat.set_yticks(ticks, [names[order[tick]] for tick in ticks])
        heat.tick_params(labelsize=6)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.5, aspect=40)
    bar.set_label('focus', fontsize=9)
    return figure


def _draw_poses(axes: Axes, clip: FocusedClip, layout: Layout) -> None:
    """The skeleton at a few frames, side by side, seen from the front."""
    frames, _, channels = clip.keypoint.shape
    shown = np.unique(np.linspace(0, frames - 1, min(POSES, frames)).round())
    points = clip.keypoint[shown.astype(int)][..., :2].astype(float)
    seen = (clip.keypoint[shown.astype(int)] != 0).any(-1)
    points = points - np.median(points[seen], axis=0) if seen.any() else points
    width = np.ptp(points[..., 0][seen]) if seen.any() else 0
    step = 1.15 * (width or 1)
    points[..., 0] += step * np.arange(len(points))[:, None]
    for pose, visible, frame in zip(points, seen, shown.astype(int)):
        bones = [pose[[a, b]] for a, b in layout.inward if visible[a] and visible[b]]
        axes.add_collection(LineCollection(bones, colors='0.75', linewidths=1.5, zorder=1))
        focus = clip.focus[frame][visible]
        axes.scatter(
            *pose[visible].T,
            c=focus,
            s=10 + 110 * focus,
            cmap=COLORS,
            vmin=0,
            vmax=1,
            edgecolors='0.4',
            linewidths=0.4,
            zorder=2,
        )
        if visible.any():
            axes.annotate(
                f'frame {frame}',
                (pose[visible][:, 0].mean(), 0),
                xycoords=('data', 'axes fraction'),
                xytext=(0, -10),
                textcoords='offset points',
                ha='center',
                fontsize=7,
            )
    axes.autoscale_view()
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_axis_off()
    if channels == 2:  # image coordinates point down
        axes.invert_yaxis()


def _joint_order(layout: Layout) -> np.ndarray:
    """Joints limb by limb: children right after their parents."""
    children: Dict[int, List[int]] = {j: [] for j in range(layout.num_node)}
    for child, parent in layout.inward:
        children[parent].append(child)
    order, stack = [], [layout.root]
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack += sorted(children[joint], reverse=True)
    return np.array(order)
