"""Draw clips as recorded, or as a pipeline changes them."""

from typing import TYPE_CHECKING, List, NamedTuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .heatmap import frame_rows, heat_rows, name_frames
from .still import GAP, add_label
from .style import Theme, fitted, shown, styled, theme_of
from .views import limits_of, upright

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour-blind readers can tell blue from orange.
LEFT, RIGHT, MIDDLE = 'tab:blue', 'tab:orange', '0.35'
WIDTH = 11.0  # inches
SHARES = (4, 1.15)  # of the width: poses, and missing joints
ROW = 2.2  # inches of a clip
LABELS = 13  # rows of text that fit beside the missing joints


class DrawnClip(NamedTuple):
    """A clip to draw.

    Attributes:
        keypoint (numpy.ndarray): Shape (M, T, V, 2 or 3).
        visibility (numpy.ndarray): 0 for joints that were not seen, shape (M,
            T, V).
        title (str): Shown above the clip.
    """

    keypoint: np.ndarray
    visibility: np.ndarray
    title: str


def draw_clips(clips: List[DrawnClip], layout: Layout, poses: int = 7) -> 'Figure':
    """Draw clips below each other: poses over time, and beside them which joints were seen.

    Args:
        clips (list[DrawnClip]): The clips to draw.
        layout (Layout): The skeleton; its left joints are blue, its right
            ones orange.
        poses (int): Frames to draw of each clip. Defaults to 7.

    Returns:
        matplotlib.figure.Figure: On the right, each joint over time, limb by
        limb, dark where it is missing; persons below each other.

    Raises:
        ValueError: If there is no clip.
    """
    if not clips:
        raise ValueError('there is no clip to draw: choose at least one')
    with styled(theme_of('light'), [*(clip.title for clip in clips), *(layout.names or ())]):
        return _draw_clips(clips, layout, poses)


def _draw_clips(clips: List[DrawnClip], layout: Layout, poses: int) -> 'Figure':
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.3 + ROW * len(clips)), layout='constrained')
    grid = figure.add_gridspec(len(clips), 2, width_ratios=SHARES)
    width = WIDTH * SHARES[0] / sum(SHARES) - 0.2
    for row, clip in enumerate(clips):
        axes = figure.add_subplot(grid[row, 0])
        draw_poses(axes, clip, layout, poses)
        axes.set_title(fitted(shown(clip.title, 160), width, 9), loc='left')
        missing = figure.add_subplot(grid[row, 1])
        _draw_missing(missing, clip.visibility, layout, theme_of('light'))
    return figure


def _draw_missing(axes: 'Axes', visibility: np.ndarray, layout: Layout, theme: Theme) -> None:
    missing = 1 - heat_rows(visibility, layout)
    axes.imshow(missing, aspect='auto', cmap='Greys', vmin=0, vmax=1.15, interpolation='nearest')
    frame_rows(axes, layout, len(visibility), theme, LABELS)
    share = (visibility <= 0).mean()
    axes.set_title(
        f'missing: {share:.1%} (dark)' if missing.any() else 'no joint missing', fontsize=8
    )
    name_frames(axes, 5)


def draw_poses(axes: 'Axes', clip: DrawnClip, layout: Layout, poses: int) -> None:
    """Draw all persons at a few frames, side by side, seen from the front.

    Args:
        axes (Axes): Where to draw.
        clip (DrawnClip): The clip to draw.
        layout (Layout): The skeleton.
        poses (int): Number of frames.
    """
    frames, channels = clip.keypoint.shape[1], clip.keypoint.shape[3]
    shown = np.unique(np.linspace(0, frames - 1, poses).round().astype(int))
    seen = clip.visibility > 0
    points = np.where(seen[..., None], clip.keypoint.astype(float), np.nan)
    if channels == 3:  # a tilt is kept, which may be due to augmentation
        points = upright(points, layout, level=False)
    else:  # image coordinates point down
        points = points * (1, -1)
    left, right, bottom, top = limits_of(points[:, shown, :, :2])
    places = GAP * (right - left) * np.arange(len(shown))
    for person, there in zip(points[..., :2], seen):
        for place, frame in zip(places, shown):
            draw_pose(axes, person[frame] + (place, 0), there[frame], layout)
    for place, frame in zip(places, shown):
        add_label(axes, (place + (left + right) / 2, bottom), f'frame {frame}')
    axes.set(xlim=(left, right + places[-1]), ylim=(bottom, top), aspect='equal')
    axes.set_anchor('NW')  # below its title
    axes.set_axis_off()


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
