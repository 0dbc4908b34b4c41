"""Draw clips on one page: poses over time, beside joints over frames."""

from typing import TYPE_CHECKING, List, NamedTuple, Sequence, Tuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip
from .heatmap import LABELS, draw_heatmap, heat_rows
from .skeleton import PersonNumbers, PoseArtists
from .style import fitted, shown, styled, theme_of
from .views import Projected, centred, project

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

WIDTH = 11.0  # inches
POSES_WIDTH = 6.2
POSES = (3, 9)  # frames of each row, at least and at most
GAP = 1.06  # between poses, in widths of one
ROW = 1.1  # inches of each of two rows, at least
TITLE = 160  # characters, in two lines
TITLE_SIZE = 9  # points
LINES = 0.17  # inches of a further line of a title
NUMBERS = 0.1  # room for the numbers of persons, in heights of a pose
LINE = 1.16  # between rows of poses, in heights of one


def draw_focus(
    clips: Sequence[FocusedClip], layout: Layout, view: str = 'auto', theme: str = 'light'
) -> 'Figure':
    """Draw clips below each other: poses over time, then joints over frames.

    Args:
        clips (Sequence[FocusedClip]): The clips to draw.
        layout (Layout): The skeleton.
        view (str): See :func:`project`. Defaults to ``'auto'``.
        theme (str): ``'light'`` or ``'dark'``. Defaults to ``'light'``.

    Returns:
        matplotlib.figure.Figure: The picture, in which joints with a larger
        focus are larger and more strongly coloured.

    Raises:
        ValueError: If there is no clip, or one is not of the skeleton.
    """
    return FocusFigure(clips, layout, view, theme).figure


class _Row(NamedTuple):
    """A clip in a figure."""

    title: 'Text'
    lines: int  # for which there is room in the title
    pose: PoseArtists
    projected: Projected
    frames: np.ndarray
    image: 'AxesImage'

    @property
    def changing(self) -> List['Artist']:
        """Return the artists that a focus changes and those above them, the lowest first."""
        heat = self.image.axes
        return [self.image, *heat.lines, *heat.spines.values(), self.pose.joints, self.title]


class FocusFigure:
    """A picture of clips that can show another focus of the same clips.

    Args:
        clips, layout, view, theme: As in :func:`draw_focus`.

    Attributes:
        figure (matplotlib.figure.Figure): The picture.

    Raises:
        ValueError: If there is no clip, or one is not of the skeleton.
    """

    def __init__(
        self,
        clips: Sequence[FocusedClip],
        layout: Layout,
        view: str = 'auto',
        theme: str = 'light',
    ) -> None:
        from matplotlib.figure import Figure

        if not clips:
            raise ValueError('there is no clip to draw: choose at least one')
        for clip in clips:
            clip.check(layout.num_node)
        clips = [clip.present() for clip in clips]
        self._layout = layout
        self._rows: List[_Row] = []
        self._fixed = None  # the pixels that no focus changes
        self._theme = colors = theme_of(theme)
        with styled(colors, [*(clip.title for clip in clips), *(layout.names or ())]):
            projections = [centred(project(clip, layout, view)) for clip in clips]
            titles = list(map(_title, clips, projections))
            heights = [_height(clip) + LINES * t.count('\n') for clip, t in zip(clips, titles)]
            figure = Figure(figsize=(WIDTH, 0.35 + sum(heights)), layout='constrained')
            figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
            grid = figure.add_gridspec(
                len(clips),
                2,
                width_ratios=(POSES_WIDTH, WIDTH - POSES_WIDTH),
                height_ratios=heights,
            )
            for row, (clip, projected, text) in enumerate(zip(clips, projections, titles)):
                axes = figure.add_subplot(grid[row, 0])
                room = (POSES_WIDTH, _height(clip) - 0.5)
                columns, lines = _arrange(projected, room)
                frames = _choose_frames(clip.keypoint.shape[1], columns * lines)
                pose = draw_poses(axes, clip, projected, frames, layout, colors, columns, room)
                title = axes.set_title(text, loc='left', fontsize=TITLE_SIZE)
                heat = figure.add_subplot(grid[row, 1])
                image = draw_heatmap(heat, clip.focus, layout, colors, frames)
                self._rows.append(_Row(title, 1 + text.count('\n'), pose, projected, frames, image))
            add_bar(figure, image, clips[0].what)
        self.figure = figure

    def update(self, clips: Sequence[FocusedClip]) -> None:
        """Show another focus and other titles.

        Args:
            clips (Sequence[FocusedClip]): The same clips.
        """
        with styled(self._theme, [clip.title for clip in clips]):
            titles = [
                _title(clip, row.projected, row.lines) for row, clip in zip(self._rows, clips)
            ]
        for row, clip, title in zip(self._rows, clips, titles):
            focus = clip.present().focus
            row.pose.recolour(focus[:, row.frames].reshape(-1, focus.shape[2]))
            row.image.set_data(heat_rows(focus, self._layout))
            row.title.set_text(title)

    def pixels(self) -> np.ndarray:
        """Draw the figure; after the first time, only what :meth:`update` changes.

        Returns:
            numpy.ndarray: RGB, uint8, shape (height, width, 3).
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        changing = [artist for row in self._rows for artist in row.changing]
        if self._fixed is None:
            self._canvas = FigureCanvasAgg(self.figure)
            self.figure.draw_without_rendering()  # lays it out
            self.figure.set_layout_engine('none')
            for artist in changing:
                artist.set_animated(True)  # not drawn with the others
            self._canvas.draw()
            self._fixed = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._fixed)
        for artist in changing:
            artist.axes.draw_artist(artist)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _title(clip: FocusedClip, projected: Projected, lines: int = 2) -> str:
    """Return the title of a clip, cut so that it ends before the heat map."""
    title = fitted(shown(clip.title, TITLE), POSES_WIDTH - 1.2, TITLE_SIZE, lines)
    unusual = projected.view in ('side', 'top')
    return f'{title} · {projected.view} view' if unusual else title


def add_bar(figure: 'Figure', image, label: str) -> None:
    """Add a colour bar with a label beside all axes of a figure."""
    bar = figure.colorbar(
        image, ax=figure.axes, fraction=0.02, aspect=30, shrink=0.6, pad=0.01, panchor=False
    )
    bar.set_label(label)
    bar.outline.set_visible(False)


def _height(clip: FocusedClip) -> float:
    """Return the height of a clip in inches, with room for the names of rows."""
    persons, _, joints, _ = clip.keypoint.shape
    return float(np.clip(0.6 + 0.095 * min(persons * joints, LABELS), 1.9, 3.2))


def _arrange(projected: Projected, room: Tuple[float, float]) -> Tuple[int, int]:
    """Return the columns and rows of poses: two rows if one would hold too few."""
    left, right, bottom, top = projected.limits
    fit = room[0] / room[1] * (top - bottom) / ((right - left) * GAP)
    rows = 2 if fit < POSES[0] and room[1] >= 2 * ROW else 1
    return int(np.clip(int(rows * fit / (LINE if rows > 1 else 1)), *POSES)), rows


def _choose_frames(length: int, count: int) -> np.ndarray:
    """Return evenly spaced frames, including the first and the last."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))


def draw_poses(
    axes: 'Axes',
    clip: FocusedClip,
    projected: Projected,
    frames: np.ndarray,
    layout: Layout,
    theme,
    columns: int,
    room: Tuple[float, float],
) -> PoseArtists:
    """Draw a clip at some frames, side by side and row by row, on one scale.

    Args:
        axes (matplotlib.axes.Axes): Where they are drawn.
        clip (FocusedClip): The clip.
        projected (Projected): Its projection.
        frames (numpy.ndarray): The frames to draw, shape (n,).
        layout (Layout): The skeleton.
        theme (Theme): Colours.
        columns (int): Frames in a row.
        room (tuple[float, float]): Width and height for them, in inches.
    """
    left, right, bottom, top = projected.limits
    step, drop = (right - left) * GAP, (top - bottom) * LINE
    columns = min(columns, len(frames))
    places = np.stack(np.divmod(np.arange(len(frames)), columns)[::-1], 1) * (step, -drop)
    points = projected.points[:, frames] + places[:, None]
    depth = drop * ((len(frames) - 1) // columns)
    scale = min(room[0] / (step * columns), room[1] / (depth + top - bottom))
    pose = PoseArtists(axes, layout, theme, size=joint_size(projected, scale))
    joints = points.shape[2]
    pose.show(points.reshape(-1, joints, 2), clip.focus[:, frames].reshape(-1, joints))
    for column in range(columns):  # of the first row, below which is no room for them
        PersonNumbers(axes, len(points)).show(points[:, column])
    for (x, y), frame in zip(places + (left, bottom), frames):
        nobody = '' if clip.seen[:, frame].any() else ': no joint seen'
        add_label(axes, (x + (right - left) / 2, y), f'frame {frame}{nobody}')
        if projected.view == 'image' and clip.img_shape is not None:
            add_outline(axes, (x, y), right - left, top - bottom, theme)
    margin = 0.01 * (right - left)  # for the outline
    axes.set_xlim(left - margin, right + step * (columns - 1) + margin)
    numbers = NUMBERS * (top - bottom) * (len(points) > 1)
    axes.set_ylim(bottom - depth - margin, top + margin + numbers)
    axes.set_aspect('equal')
    axes.set_anchor('NW')  # below its title, level with the heat map
    axes.set_axis_off()
    return pose


def joint_size(projected: Projected, scale: float) -> float:
    """Return the size of joints that suits the size of the bodies on paper.

    Args:
        projected (Projected): A clip on paper.
        scale (float): Inches per unit.
    """
    points = projected.points.reshape(-1, *projected.points.shape[2:])
    points = points[np.isfinite(points).any((1, 2))]
    if not len(points):
        return 1.0
    extent = np.nanmax(points, 1) - np.nanmin(points, 1)
    tall = scale * float(np.median(extent.max(1)))
    return float(np.clip(tall / 1.6, 0.4, 1.0))


def add_label(axes: 'Axes', place: Tuple[float, float], text: str) -> None:
    """Write a text centred below a place, given in data coordinates."""
    axes.annotate(
        text, place, xytext=(0, -3), textcoords='offset points', ha='center', va='top', fontsize=7
    )


def add_outline(axes: 'Axes', corner: Tuple[float, float], width, height, theme) -> None:
    """Draw the border of a video frame from its lower left corner, in data coordinates."""
    from matplotlib.patches import Rectangle

    border = dict(fill=False, edgecolor=theme.frame, linewidth=0.6, clip_on=False)
    axes.add_patch(Rectangle(corner, width, height, **border))
