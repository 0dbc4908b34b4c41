"""Pictures of clips as they are, or as a pipeline changes them."""

from typing import TYPE_CHECKING, List, NamedTuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .style import shown, styled, theme_of

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour-blind readers can tell blue from orange.
LEFT, RIGHT, MIDDLE = 'tab:blue', 'tab:orange', '0.35'


class DrawnClip(NamedTuple):
    """A clip to draw.

    Attributes:
        keypoint (numpy.ndarray): Shape (M, T, V, 2 or 3).
        visibility (numpy.ndarray): 0 is not seen, shape (M, T, V).
        title (str): Shown above the clip.
    """

    keypoint: np.ndarray
    visibility: np.ndarray
    title: str


def draw_clips(clips: List[DrawnClip], layout: Layout, poses: int = 7) -> 'Figure':
    """Draw clips below each other: poses over time, beside them what was seen.

    Args:
        clips (list[DrawnClip]): What to draw.
        layout (Layout): The skeleton; its left joints are blue, its right
            ones orange.
        poses (int): Frames to draw of each clip. Defaults to 7.

    Returns:
        matplotlib.figure.Figure: On the right, each joint over time, dark
        where it was seen; persons below each other.

    Raises:
        ValueError: If there is no clip.
    """
    if not clips:
        raise ValueError('there is no clip to draw: choose at least one')
    with styled(theme_of('light'), [clip.title for clip in clips]):
        return _draw_clips(clips, layout, poses)


def _draw_clips(clips: List[DrawnClip], layout: Layout, poses: int) -> 'Figure':
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 0.3 + 2.1 * len(clips)), layout='constrained')
    grid = figure.add_gridspec(len(clips), 2, width_ratios=(5, 1))
    for row, clip in enumerate(clips):
        axes = figure.add_subplot(grid[row, 0])
        draw_poses(axes, clip, layout, poses)
        axes.set_title(shown(clip.title, 110), loc='left', fontsize=9)
        seen = figure.add_subplot(grid[row, 1])
        values = np.concatenate([person.T for person in clip.visibility])
        seen.imshow(values, aspect='auto', cmap='Greys', vmin=0, vmax=1.3, interpolation='nearest')
        seen.set_xlabel('frame', fontsize=7)
        seen.set_ylabel('joint', fontsize=7)
        seen.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        seen.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        seen.tick_params(labelsize=6)
    return figure


def draw_poses(axes: 'Axes', clip: DrawnClip, layout: Layout, poses: int) -> None:
    """Draw all persons at a few frames, side by side, seen from the front.

    Args:
        axes (Axes): Where to draw.
        clip (DrawnClip): What to draw.
        layout (Layout): The skeleton.
        poses (int): How many frames.
    """

    frames, channels = clip.keypoint.shape[1], clip.keypoint.shape[3]
    shown = np.unique(np.linspace(0, frames - 1, poses).round().astype(int))
    points = clip.keypoint[:, shown, :, :2].astype(float)
    seen = clip.visibility[:, shown] > 0
    if seen.any():
        points -= np.median(points[seen], axis=0)
    width = np.ptp(points[..., 0][seen]) if seen.any() else 0
    points[..., 0] += 1.1 * (width or 1) * np.arange(len(shown))[:, None]
    for person, there in zip(points, seen):
        for pose, visible in zip(person, there):
            draw_pose(axes, pose, visible, layout)
    axes.autoscale_view()
    axes.set_aspect('equal', adjustable='datalim')
    axes.set_axis_off()
    if channels == 2:  # image coordinates point down
        axes.invert_yaxis()


def draw_pose(
    axes: 'Axes', pose: np.ndarray, seen: np.ndarray, layout: Layout, size: float = 7
) -> None:
    """Draw the bones and joints of a pose that were seen.

    Args:
        axes (Axes): Where to draw.
        pose (numpy.ndarray): Shape (V, 2).
        seen (numpy.ndarray): Shape (V,), bool.
        layout (Layout): The skeleton.
        size (float): Area of a joint, in points squared. Defaults to 7.
    """
    from matplotlib.collections import LineCollection

    colors = _colors(layout)
    bones = [(child, parent) for child, parent in layout.inward if seen[child] and seen[parent]]
    lines = LineCollection(
        [pose[[child, parent]] for child, parent in bones],
        colors=[colors[child] for child, _ in bones],
        linewidths=1.4,
        zorder=1,
    )
    axes.add_collection(lines)
    visible = np.flatnonzero(seen)
    axes.scatter(*pose[visible].T, c=[colors[j] for j in visible], s=size, zorder=2)


def _colors(layout: Layout) -> List[str]:
    """Return the colour of each joint: left, right or neither."""
    left, right = ({pair[side] for pair in layout.pairs} for side in (0, 1))
    return [
        LEFT if joint in left else RIGHT if joint in right else MIDDLE
        for joint in range(layout.num_node)
    ]
