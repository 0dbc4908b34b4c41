"""Average the focus of classes over joints and over time, and draw it."""

from typing import TYPE_CHECKING, Any, List, NamedTuple, Sequence

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip
from .skeleton import PoseArtists
from .still import add_bar, joint_size
from .style import fitted, shown, styled, theme_of
from .views import limits_of, project, show_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 5
WIDTH = 2.3  # inches of a class
MOMENTS = 50  # to which clips of any length are resampled


class ClassFocus(NamedTuple):
    """The focus of a class, averaged over its clips.

    Attributes:
        name (str): Name of the class.
        joints (numpy.ndarray): Mean focus of each joint, shape (V,).
        moments (numpy.ndarray): Mean over joints along the clip, from its
            first to its last frame, shape (MOMENTS,).
        clip (FocusedClip): The clip whose focus is closest to the mean.
        count (int): Number of clips.
    """

    name: str
    joints: np.ndarray
    moments: np.ndarray
    clip: FocusedClip
    count: int


class FocusAverage:
    """Average the focus of one class, clip by clip, over the persons present.

    Every clip has the same weight, regardless of its length. No clip is kept,
    so any number of them fits into memory.

    Args:
        name (str): Name of the class.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._keys: List[Any] = []
        self._joints: List[np.ndarray] = []
        self._moments = np.zeros(MOMENTS)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Any, clip: FocusedClip) -> None:
        """Add a clip.

        Args:
            key: Its key in :attr:`typical`.
            clip (FocusedClip): The clip.
        """
        focus = clip.present().focus
        place = np.linspace(0, 1, focus.shape[1])
        self._keys.append(key)
        self._joints.append(focus.mean((0, 1)))
        self._moments += np.interp(np.linspace(0, 1, MOMENTS), place, focus.mean((0, 2)))

    @property
    def typical(self) -> Any:
        """Return the key of the clip whose focus is closest to the mean."""
        joints = np.stack(self._joints)
        return self._keys[int(((joints - joints.mean(0)) ** 2).sum(1).argmin())]

    def finish(self, clip: FocusedClip) -> ClassFocus:
        """Return the means.

        Args:
            clip (FocusedClip): The typical one.
        """
        joints, moments = np.mean(self._joints, 0), self._moments / len(self)
        return ClassFocus(shown(self.name), joints, moments, clip.present(), len(self))


def draw_classes(
    classes: Sequence[ClassFocus], layout: Layout, view: str = 'auto', theme: str = 'light'
) -> 'Figure':
    """Draw a body per class, with its focus along the clip below.

    The pose is that of the most typical clip, in the frame with the largest
    focus. Colours and sizes are relative to the largest value of all classes.

    Args:
        classes (Sequence[ClassFocus]): The classes to draw.
        layout (Layout): The skeleton.
        view, theme: As in :func:`draw_focus`.

    Raises:
        ValueError: If there is no class.
    """
    from matplotlib.figure import Figure

    if not classes:
        raise ValueError('there is no class to draw: choose at least one')
    colors = theme_of(theme)
    largest = max(one.joints.max() for one in classes) or 1
    highest = max(one.moments.max() for one in classes) or 1
    columns = min(len(classes), COLUMNS)
    rows = -(-len(classes) // columns)
    with styled(colors, [one.name for one in classes]):
        figure = Figure(figsize=(WIDTH * columns + 0.6, 3.3 * rows), layout='constrained')
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=(4, 1) * rows)
        for number, one in enumerate(classes):
            row, column = divmod(number, columns)
            one.clip.check(layout.num_node)
            body = figure.add_subplot(grid[2 * row, column])
            projected = project(one.clip, layout, view)
            frame = int(one.clip.focus.mean((0, 2)).argmax())
            points = projected.points[:, frame]
            left, right, bottom, top = limits_of(points)
            scale = min(WIDTH / (right - left), WIDTH / (top - bottom))
            size = 1.2 * joint_size(projected._replace(points=points[:, None]), scale)
            pose = PoseArtists(body, layout, colors, size)
            pose.show(points, np.repeat(one.joints[None] / largest, len(points), 0))
            show_limits(body, limits_of(points), shape=1.0)
            clips = f'{one.count} clip{"" if one.count == 1 else "s"}'
            body.set_title(f'{fitted(one.name, WIDTH - 0.2, 8, 2)}\n{clips}', fontsize=8)
            curve = figure.add_subplot(grid[2 * row + 1, column])
            place = np.linspace(0, 100, MOMENTS)
            curve.fill_between(place, one.moments / highest, color=colors.colors(0.55), linewidth=0)
            curve.set(xlim=(0, 100), ylim=(0, 1), yticks=[])
            if column == 0:
                curve.set_ylabel('mean over joints')
            if number + columns >= len(classes):  # the lowest of its column
                curve.set_xlabel('% of the clip')
        add_bar(figure, pose.joints, f'mean {classes[0].clip.what}, relative to the largest')
    return figure
