"""Draw heat maps of joints over time, grouped by limb, with persons below each other."""

from typing import TYPE_CHECKING, List, Sequence, Tuple

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .limbs import limbs, row_order
from .style import Theme, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

LABELS = 26  # rows up to which each is named; if there are more, limbs are named


def draw_heatmap(
    axes: 'Axes',
    focus: np.ndarray,
    layout: Layout,
    theme: Theme,
    frames: Sequence[int] = (),
    labels: int = LABELS,
) -> 'AxesImage':
    """Draw the focus of a clip.

    Args:
        axes (matplotlib.axes.Axes): Where it is drawn.
        focus (numpy.ndarray): In [0, 1], shape (M, T, V).
        layout (Layout): The skeleton.
        theme (Theme): Colours.
        frames (Sequence[int]): Frames to mark at the top, such as those whose
            poses are drawn. Defaults to none.
        labels (int): Largest number of rows that are named individually; if
            there are more, limbs are named. Defaults to 26.

    Returns:
        matplotlib.image.AxesImage: One row per person and joint.
    """
    persons, length, _ = focus.shape
    image = axes.imshow(
        heat_rows(focus, layout),
        aspect='auto',
        cmap=theme.colors,
        vmin=0,
        vmax=1,
        interpolation='nearest',
    )
    frame_rows(axes, layout, persons, theme, labels)
    if len(frames):  # an empty line has no extent, which breaks the layout
        axes.plot(
            frames,
            [-0.5] * len(frames),
            linestyle='none',
            marker=7,  # a triangle that stands on its tip
            color=theme.text,
            markersize=4,
            clip_on=False,
            transform=axes.transData,
            markeredgewidth=0,
        )
    axes.set_xlim(-0.5, length - 0.5)
    name_frames(axes)
    return image


def name_frames(axes: 'Axes', most: int = 9) -> None:
    """Label integer frames below an axis, for one frame or many."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(most, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    axes.set_xlabel('frame')


def heat_rows(focus: np.ndarray, layout: Layout) -> np.ndarray:
    """Return a row per person and joint, limb by limb.

    Args:
        focus (numpy.ndarray): Shape (M, T, V).
        layout (Layout): The skeleton.

    Returns:
        numpy.ndarray: Shape (M V, T).
    """
    return focus[:, :, row_order(layout)].transpose(0, 2, 1).reshape(-1, focus.shape[1])


def frame_rows(
    axes: 'Axes', layout: Layout, persons: int, theme: Theme, labels: int = LABELS
) -> None:
    """Name the rows of :func:`heat_rows`, and draw lines between limbs and between persons.

    Args:
        axes (matplotlib.axes.Axes): The axes of the rows.
        layout (Layout): The skeleton.
        persons (int): M.
        theme (Theme): Colours.
        labels (int): As in :func:`draw_heatmap`. Defaults to 26.
    """
    groups, joints = limbs(layout), layout.num_node
    order = [joint for limb in groups for joint in limb.joints]
    starts = np.cumsum([0] + [len(limb.joints) for limb in groups[:-1]])
    for person in range(persons):
        for start in starts:
            wide = start == 0
            if person or start:
                axes.axhline(
                    person * joints + start - 0.5,
                    color=theme.text if wide else theme.bones,
                    linewidth=1.2 if wide else 0.5,
                )
    _name_rows(axes, layout, persons, starts, [limb.name for limb in groups], order, labels)


def spread(places: Sequence[float], least: float) -> np.ndarray:
    """Move labels apart that would overlap, as little as needed on either side.

    Args:
        places (Sequence[float]): Intended positions of labels, ascending.
        least (float): Smallest distance between neighbours.

    Returns:
        numpy.ndarray: Their new positions, ascending.
    """
    # Labels that touch form a block around the mean of their intended positions.
    blocks: List[List[float]] = []
    for place in places:
        blocks.append([place, 1])
        while len(blocks) > 1:
            (above, many), (below, few) = blocks[-2:]
            if below - above >= least * (many + few) / 2:
                break
            blocks[-2:] = [[(above * many + below * few) / (many + few), many + few]]
    return np.array(
        [
            middle + least * (i - (count - 1) / 2)
            for middle, count in blocks
            for i in range(int(count))
        ]
    )


def _name_rows(
    axes: 'Axes',
    layout: Layout,
    persons: int,
    starts: np.ndarray,
    limb_names: List[str],
    order: List[int],
    labels: int,
) -> None:
    joints = len(order)
    ticks: List[Tuple[float, str]] = []
    if persons * joints <= labels:
        names = layout.names or [str(joint) for joint in range(joints)]
        rows = [shown(names[joint], 18) for joint in order]
        ticks = [(p * joints + row, name) for p in range(persons) for row, name in enumerate(rows)]
    else:
        # Limbs of the same name, such as the fingers of a hand, are named once.
        runs = [i for i, name in enumerate(limb_names) if i == 0 or name != limb_names[i - 1]]
        edges = [*(starts[i] for i in runs), joints]
        if all(limb_names) and len(runs) * persons <= max(labels, 12):
            ticks = [
                (p * joints + (a + b - 1) / 2, shown(limb_names[i], 18))
                for p in range(persons)
                for a, b, i in zip(edges, edges[1:], runs)
            ]
        else:
            step = -(-persons * joints // labels)
            names = layout.names or [str(joint) for joint in range(joints)]
            ticks = [
                (row, shown(names[order[row % joints]], 18))
                for row in range(0, persons * joints, step)
            ]
    rows, least = persons * joints, persons * joints / max(labels, 12)
    places = spread([place for place, _ in ticks], least)
    # A tick beyond the rows would not be drawn.
    steps = least * np.arange(len(places))
    places = np.maximum(places, steps - 0.5)
    places = np.minimum(places, rows - 0.5 - steps[::-1])
    axes.set_yticks(places, [name for _, name in ticks])
    if persons > 1:
        for person in range(persons):
            axes.text(
                1.01,
                1 - (person + 0.5) / persons,
                f'person {person + 1}',
                transform=axes.transAxes,
                rotation=-90,
                va='center',
                fontsize=7,
            )
