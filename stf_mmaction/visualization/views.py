"""Project the coordinates of the data to places on paper, upright."""

import warnings
from typing import TYPE_CHECKING, NamedTuple, Tuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VIEWS = ('front', 'side', 'top')
LEAST_PART = 0.4  # smallest share of the width of a video that is shown
BETTER = 1.2  # factor by which another view must show more than the front
# Largest distance of the joints of a standing person from the line between head and foot, as a
# share of its length.
BEND = 0.1
# Degrees; a person may lean by a smaller tilt, and a camera is not tilted by a larger one.
TILTS = (8, 35)


class Projected(NamedTuple):
    """A clip on paper.

    Attributes:
        points (numpy.ndarray): x to the right, y up, NaN where a joint was not
            seen, shape (M, T, V, 2).
        view (str): ``'image'`` for 2D, else one of :data:`VIEWS`.
        limits (tuple[float, float, float, float]): Left, right, bottom and top
            of all that is seen, or of the video.
    """

    points: np.ndarray
    view: str
    limits: Tuple[float, float, float, float]


def project(clip: FocusedClip, layout: Layout, view: str = 'auto') -> Projected:
    """Project a clip onto the plane that a view shows.

    Args:
        clip (FocusedClip): 2D keypoints are pixels, downwards; 3D ones are
            turned upright.
        layout (Layout): Its skeleton.
        view (str): ``'front'``, ``'side'``, ``'top'``, or ``'auto'``, the one
            along which joints spread and move most. Defaults to ``'auto'``.

    Raises:
        ValueError: If there is no such view.
    """
    if view not in (*VIEWS, 'auto'):
        raise ValueError(f'view {view!r} is unknown: use auto, {", ".join(VIEWS)}')
    points = clip.keypoint.astype(float)
    points[~clip.seen] = np.nan
    if points.shape[-1] == 2:
        points = points * (1, -1)
        if clip.img_shape is not None:
            height, width = map(float, clip.img_shape)
            return Projected(points, 'image', _part_of_video(points, width, height))
        return Projected(points, 'image', limits_of(points))
    points = upright(points, layout)
    if view == 'auto':
        view = _best_view(points)
    axes = dict(front=(0, 1), side=(2, 1), top=(0, 2))[view]
    points = points[..., axes]
    return Projected(points, view, limits_of(points))


def _part_of_video(
    points: np.ndarray, width: float, height: float
) -> Tuple[float, float, float, float]:
    """Return the frame of a video, or a part of its shape around persons who are small in it."""
    left, right, bottom, top = limits_of(points)
    share = max((right - left) / width, (top - bottom) / height) * 1.1
    if share >= 1 or not np.isfinite(points).any():
        return 0.0, width, -height, 0.0
    wide, high = (max(share, LEAST_PART) * side / 2 for side in (width, height))
    x = float(np.clip((left + right) / 2, wide, width - wide))
    y = float(np.clip((bottom + top) / 2, high - height, -high))
    return x - wide, x + wide, y - high, y + high


def centred(projected: Projected) -> Projected:
    """Remove the movement of persons through space, so that poses side by side are large.

    Vertical movement is removed only if poses would be much smaller otherwise.
    Places within a video are unchanged.

    Args:
        projected (Projected): A clip on paper.
    """
    points = projected.points
    if projected.view == 'image' or not np.isfinite(points).any():
        return projected
    low = np.min(np.where(np.isnan(points), np.inf, points), (0, 2))  # (T, 2)
    high = np.max(np.where(np.isnan(points), -np.inf, points), (0, 2))
    there = np.isfinite(low).all(1)
    low[~there] = high[~there] = 0
    centre = (low + high) / 2
    whole = high[there, 1].max() - low[there, 1].min()
    if whole < 1.6 * (high - low)[there, 1].max():
        centre[:, 1] = 0
    points = points - centre[None, :, None]
    return projected._replace(points=points, limits=limits_of(points))


# Joints that only a whole body has: bodies are turned upright, hands are not.
_OF_BODIES = ('head', 'nose', 'hip', 'knee', 'ankle', 'foot')


def upright(points: np.ndarray, layout: Layout, level: bool = True) -> np.ndarray:
    """Turn a clip of bodies so that heads are above feet, along y; others are unchanged.

    Axes are exchanged, then the tilt of a camera is removed, so that standing
    persons are vertical.

    Args:
        points (numpy.ndarray): NaN where a joint was not seen, shape
            (M, T, V, 3).
        layout (Layout): The skeleton.
        level (bool): Whether to remove a tilt. Defaults to True.
    """
    names = ' '.join(layout.names or ())
    if layout.height is None or not any(word in names for word in _OF_BODIES):
        return points
    top, bottom = layout.height
    ways = (points[..., top, :] - points[..., bottom, :]).reshape(-1, 3)
    ways = ways[np.isfinite(ways).all(1)]
    if not len(ways):  # never seen together, as in clips of the upper body
        return points
    way = np.median(ways, 0)
    axis = int(np.abs(way).argmax())
    # A person who lies down is left as recorded.
    if axis != 1 and abs(way[axis]) < 2 * abs(way[1]):
        axis = 1
    if axis != 1:
        order = {0: [1, 0, 2], 2: [0, 2, 1]}[axis]
        points, way = points[..., order], way[order]
    points = points * (1, -1, 1) if way[1] < 0 else points
    return _levelled(points, layout) if level else points


def _levelled(points: np.ndarray, layout: Layout) -> np.ndarray:
    """Undo the tilt of a camera that looked down or up, by the frames in which somebody stands."""
    path = list(layout.path(*layout.height))
    if not any('knee' in layout.names[joint] for joint in path):
        return points  # a trunk alone does not say who stands
    body = points[..., path, :]  # (M, T, joints from head to foot, 3)
    way = body[..., :1, :] - body[..., -1:, :]
    length = np.linalg.norm(way, axis=-1)
    with np.errstate(divide='ignore', invalid='ignore'):
        off = np.linalg.norm(np.cross(body - body[..., -1:, :], way), axis=-1) / length**2
        standing = (off < BEND).all(-1) & (length[..., 0] > 0)
    if not standing.any():
        return points
    tilt = float(np.median(np.arctan2(way[standing][:, 0, 2], way[standing][:, 0, 1])))
    if not TILTS[0] <= abs(np.degrees(tilt)) <= TILTS[1]:
        return points
    sin, cos = np.sin(tilt), np.cos(tilt)
    return points @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def _best_view(points: np.ndarray) -> str:
    """Choose the view with the largest posture and motion."""
    if not np.isfinite(points).any():
        return 'front'
    body = points.reshape(-1, *points.shape[2:])  # (M T, V, 3)
    body = body[np.isfinite(body).any((1, 2))]
    posture = np.sqrt(np.nanmean((body - np.nanmean(body, 1, keepdims=True)) ** 2, (0, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # joints that are never seen
        moving = points - np.nanmean(points, 1, keepdims=True)
    motion = np.sqrt(np.nanmean(moving**2, (0, 1, 2)))
    x, y, z = posture + 2 * motion
    shown = dict(front=x * y, side=z * y, top=x * z)
    best = max(shown, key=lambda name: shown[name])
    return best if shown[best] > BETTER * shown['front'] else 'front'


def limits_of(points: np.ndarray) -> Tuple[float, float, float, float]:
    """Return left, right, bottom and top of what is seen, with a margin.

    Args:
        points (numpy.ndarray): NaN where a joint was not seen, shape (..., 2).
    """
    if not np.isfinite(points).any():
        return -1.0, 1.0, -1.0, 1.0
    low = np.nanmin(points.reshape(-1, 2), axis=0)
    high = np.nanmax(points.reshape(-1, 2), axis=0)
    # The limits of a single joint have an extent, too.
    room = max(*(high - low), 1e-6) * 0.04 if (high > low).any() else 1.0
    return low[0] - room, high[0] + room, low[1] - room, high[1] + room


def show_limits(axes: 'Axes', limits: Tuple[float, float, float, float], shape: float) -> None:
    """Show a part of the plane with equal aspect, so that panels beside each other are level.

    Args:
        axes (matplotlib.axes.Axes): A panel.
        limits (tuple[float, float, float, float]): Left, right, bottom and top
            of the part that must be visible; it is centred.
        shape (float): Height of the panel over its width.
    """
    left, right, bottom, top = limits
    wide = max(right - left, (top - bottom) / shape) / 2
    x, y = (left + right) / 2, (bottom + top) / 2
    axes.set(xlim=(x - wide, x + wide), ylim=(y - wide * shape, y + wide * shape), aspect='equal')
    axes.set_axis_off()
