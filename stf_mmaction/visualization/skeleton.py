"""Draw a pose: bones, and joints coloured and sized by a value."""

from typing import TYPE_CHECKING, List

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

LARGEST = 90.0  # area of the most focused joint, in square points


class PoseArtists:
    """The movable bones and joints of some persons in a figure.

    Args:
        axes (matplotlib.axes.Axes): Where they are drawn, with equal aspect.
        layout (Layout): The skeleton.
        theme (Theme): Colours.
        size (float): Scale of joints and bones. Defaults to 1.
    """

    def __init__(self, axes: 'Axes', layout: Layout, theme: Theme, size: float = 1.0) -> None:
        from matplotlib.collections import LineCollection

        self.layout = layout
        # Whole bodies with hands and face have small joints.
        self.area = LARGEST * size**2 * min(1.0, 30 / layout.num_node)
        self.bones: LineCollection = LineCollection(
            [], colors=theme.bones, linewidths=1.6 * size, capstyle='round', zorder=1
        )
        axes.add_collection(self.bones, autolim=False)
        self.joints: PathCollection = axes.scatter(
            [],
            [],
            c=[],
            cmap=theme.colors,
            vmin=0,
            vmax=1,
            edgecolors=theme.text,
            linewidths=0.3,
            zorder=2,
            clip_on=False,  # a joint at the edge is round
        )

    def show(self, points: np.ndarray, values: np.ndarray) -> None:
        """Move to a pose.

        Args:
            points (numpy.ndarray): NaN where a joint was not seen, shape
                (M, V, 2).
            values (numpy.ndarray): In [0, 1], shape (M, V).
        """
        seen = np.isfinite(points).all(-1)
        lines: List[np.ndarray] = [
            person[[a, b]]
            for person, there in zip(points, seen)
            for a, b in self.layout.inward
            if there[a] and there[b]
        ]
        self.bones.set_segments(lines)
        self._points = points
        self.recolour(values)

    def recolour(self, values: np.ndarray) -> None:
        """Show other values in the same pose.

        Args:
            values (numpy.ndarray): In [0, 1], shape (M, V).
        """
        seen = np.isfinite(self._points).all(-1)
        # The joints with the largest focus are drawn on top.
        order = np.argsort(values[seen], kind='stable')
        self.joints.set_offsets(self._points[seen][order])
        self.joints.set_array(values[seen][order])
        self.joints.set_sizes(self.area * (0.08 + 0.92 * values[seen][order]))


class PersonNumbers:
    """The movable numbers above several persons, the same as beside the heat map.

    Args:
        axes (matplotlib.axes.Axes): Where they are drawn.
        persons (int): M; a single one needs no number.
    """

    def __init__(self, axes: 'Axes', persons: int) -> None:
        place = dict(textcoords='offset points', ha='center', va='bottom', fontsize=7)
        self.texts = [
            axes.annotate(str(person + 1), (0, 0), xytext=(0, 5), visible=False, **place)
            for person in range(persons if persons > 1 else 0)
        ]

    def show(self, points: np.ndarray) -> None:
        """Move to a pose.

        Args:
            points (numpy.ndarray): As in :meth:`PoseArtists.show`.
        """
        for text, person in zip(self.texts, points):
            seen = person[np.isfinite(person).all(-1)]
            text.set_visible(bool(len(seen)))
            if len(seen):
                text.xy = (seen[:, 0].mean(), seen[:, 1].max())
