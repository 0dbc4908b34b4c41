"""Clips on one page: poses over time, beside joints over frames."""

from typing import TYPE_CHECKING, Sequence, Tuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip
from .heatmap import LABELS, draw_heatmap
from .skeleton import PoseArtists
from .style import shown, styled, theme_of
from .views import Projected, centred, project

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 11.0  # inches
POSES_WIDTH = 6.2
POSES = (3, 9)  # frames of each clip, at least and at most
GAP = 1.06  # between poses, in widths of one


def draw_focus(
    clips: Sequence[FocusedClip], layout: Layout, view: str = 'auto', theme: str = 'light'
) -> 'Figure':
    """Draw clips below each other: poses over time, then joints over frames.

    Args:
        clips (Sequence[FocusedClip]): What to draw.
        layout (Layout): The skeleton.
        view (str): See :func:`project`. Defaults to ``'auto'``.
        theme (str): ``'light'`` or ``'dark'``. Defaults to ``'light'``.

    Returns:
        matplotlib.figure.Figure: Large and strongly coloured is where the
        network looks.

    Raises:
        ValueError: If there is no clip, or one is not of the skeleton.
    """
    from matplotlib.figure import Figure

    if not clips:
        raise ValueError('there is no clip to draw: choose at least one')
    for clip in clips:
        clip.check(layout.num_node)
    clips = [clip.present() for clip in clips]
    colors = theme_of(theme)
    titles = [shown(clip.title, 110) for clip in clips]
    with styled(colors, [*titles, *(layout.names or ())]):
        heights = [_height(clip) for clip in clips]
        figure = Figure(figsize=(WIDTH, 0.35 + sum(heights)), layout='constrained')
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
        grid = figure.add_gridspec(
            len(clips),
            2,
            width_ratios=(POSES_WIDTH, WIDTH - POSES_WIDTH),
            height_ratios=heights,
        )
        for row, (clip, title) in enumerate(zip(clips, titles)):
            poses = figure.add_subplot(grid[row, 0])
            projected = centred(project(clip, layout, view))
            frames = _choose_frames(projected, POSES_WIDTH / (heights[row] - 0.5))
            draw_poses(poses, clip, projected, frames, layout, colors)
            poses.set_title(title, loc='left')
            heat = figure.add_subplot(grid[row, 1])
            image = draw_heatmap(heat, clip.focus, layout, colors, frames)
        add_bar(figure, image)
    return figure


def add_bar(figure: 'Figure', image, label: str = 'focus') -> None:
    """Add the colour bar that all pictures have."""
    bar = figure.colorbar(image, ax=figure.axes, fraction=0.02, aspect=30, shrink=0.6, pad=0.01)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _height(clip: FocusedClip) -> float:
    """Return inches for a clip: rows that are named one by one have room for it."""
    persons, _, joints, _ = clip.keypoint.shape
    return float(np.clip(0.6 + 0.095 * min(persons * joints, LABELS), 1.9, 3.2))


def _choose_frames(projected: Projected, aspect: float) -> np.ndarray:
    """Return evenly spaced frames, as many poses as fit beside each other."""
    left, right, bottom, top = projected.limits
    fit = int(aspect * (top - bottom) / ((right - left) * GAP))
    count = int(np.clip(fit, *POSES))
    length = projected.points.shape[1]
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))


def draw_poses(
    axes: 'Axes',
    clip: FocusedClip,
    projected: Projected,
    frames: np.ndarray,
    layout: Layout,
    theme,
) -> PoseArtists:
    """Draw a clip at some frames, side by side, on one scale.

    Args:
        axes (matplotlib.axes.Axes): Where they are drawn.
        clip (FocusedClip): The clip.
        projected (Projected): Its places.
        frames (numpy.ndarray): Which frames, shape (n,).
        layout (Layout): The skeleton.
        theme (Theme): Colours.
    """
    left, right, bottom, top = projected.limits
    step = (right - left) * GAP
    points = projected.points[:, frames].copy()
    points[..., 0] += step * np.arange(len(frames))[:, None]
    pose = PoseArtists(axes, layout, theme, size=_size(len(frames)))
    joints = points.shape[2]
    pose.show(points.reshape(-1, joints, 2), clip.focus[:, frames].reshape(-1, joints))
    for number, frame in enumerate(frames):
        x = left + step * number
        _add_label(axes, (x + (right - left) / 2, bottom), f'frame {frame}')
        if projected.view == 'image' and clip.img_shape is not None:
            _add_outline(axes, (x, bottom), right - left, top - bottom, theme)
    room = 0.01 * (right - left)  # for the outline
    axes.set_xlim(left - room, right + step * (len(frames) - 1) + room)
    axes.set_ylim(bottom - room, top + room)
    axes.set_aspect('equal')
    axes.set_anchor('W')  # below its title
    axes.set_axis_off()
    if projected.view in ('side', 'top'):
        axes.text(1, 1, f'{projected.view} view', transform=axes.transAxes, ha='right', fontsize=7)
    return pose


def _size(poses: int) -> float:
    return float(np.clip(1.15 - 0.05 * poses, 0.7, 1.0))


def _add_label(axes: 'Axes', place: Tuple[float, float], text: str) -> None:
    axes.annotate(
        text, place, xytext=(0, -3), textcoords='offset points', ha='center', va='top', fontsize=7
    )


def _add_outline(axes: 'Axes', corner: Tuple[float, float], width, height, theme) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(corner, width, height, fill=False, edgecolor=theme.frame, linewidth=0.6)
    )
