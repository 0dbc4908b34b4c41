"""The adjacency matrices of STF modules, and their edges on the body."""

from typing import TYPE_CHECKING, NamedTuple, Sequence

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip
from .limbs import row_order
from .skeleton import PoseArtists
from .style import Theme, shown, styled, theme_of
from .views import limits_of, project, show_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGES = 20  # the strongest inferred edges, drawn on the body


class ModuleAdjacency(NamedTuple):
    """What Eq. (1) of one STF module adds up.

    Attributes:
        name (str): Name of the module.
        fixed (numpy.ndarray): A_k, [scale, to, from], shape (K, V, V).
        mask (numpy.ndarray): Learned, the same for all clips, (K, V, V).
        inferred (numpy.ndarray): G_k of the clip, shape (M, K, V, V).
    """

    name: str
    fixed: np.ndarray
    mask: np.ndarray
    inferred: np.ndarray


def strongest_edges(inferred: np.ndarray, count: int = EDGES) -> np.ndarray:
    """Return the joints that G_k connects most, the weakest of them first.

    The strength of an edge is the sum over scales of |G_k|, the larger of both
    directions.

    Args:
        inferred (numpy.ndarray): G_k of one person, shape (K, V, V).
        count (int): Edges at most. Defaults to 20.

    Returns:
        numpy.ndarray: Rows (joint, joint, strength), shape (n, 3).
    """
    strength = np.abs(inferred).sum(0)
    strength = np.triu(np.maximum(strength, strength.T), 1)
    places = np.argsort(strength, axis=None, kind='stable')[-count:]
    a, b = np.unravel_index(places, strength.shape)
    edges = np.stack([a, b, strength[a, b]], 1)
    return edges[edges[:, 2] > 0]


def draw_adjacency(
    modules: Sequence[ModuleAdjacency],
    clip: FocusedClip,
    layout: Layout,
    view: str = 'auto',
    theme: str = 'light',
) -> 'Figure':
    """Draw A_k, the mask and G_k of each module, and G_k on the body.

    Args:
        modules (Sequence[ModuleAdjacency]): A row each.
        clip (FocusedClip): The clip that G_k is of; its first person is drawn.
        layout (Layout): The skeleton; joints are in the order of its limbs.
        view, theme: As in :func:`draw_focus`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    clip.check(layout.num_node)
    colors, order = theme_of(theme), row_order(layout)
    projected = project(clip, layout, view)
    person = int(np.isfinite(projected.points).all(-1).sum((1, 2)).argmax())
    limits = [max(np.abs(getattr(m, kind)).max() for m in modules) or 1 for kind in _KINDS]
    with styled(colors, [clip.title]):
        figure = Figure(figsize=(11, 0.7 + 1.35 * len(modules)), layout='constrained')
        figure.suptitle(shown(clip.title, 110), x=0.01, ha='left', fontsize=9)
        grid = figure.add_gridspec(len(modules), 4, width_ratios=(3, 3, 3, 1.2))
        columns: list = [[], [], []]
        for row, module in enumerate(modules):
            inferred = module.inferred[min(person, len(module.inferred) - 1)]
            matrices = (module.fixed, module.mask, inferred)
            for column, (values, limit) in enumerate(zip(matrices, limits)):
                axes = figure.add_subplot(grid[row, column])
                sorted_values = values[:, order][:, :, order]
                image = axes.imshow(
                    np.concatenate(sorted_values, 1),
                    cmap=colors.colors if column == 0 else colors.diverging,
                    vmin=0 if column == 0 else -limit,
                    vmax=limit,
                    interpolation='nearest',
                )
                _frame_matrices(axes, len(values), len(order), colors)
                if row == 0:
                    axes.set_title(_TITLES[column])
                if column == 0:
                    axes.set_ylabel(module.name)
                columns[column].append((axes, image))
            body = figure.add_subplot(grid[row, 3])
            _draw_body(body, projected, person, inferred, layout, colors)
            if row == 0:
                body.set_title(f'strongest {EDGES} of G')
        for drawn in columns:
            axes = [a for a, _ in drawn]
            bar = figure.colorbar(
                drawn[0][1], ax=axes, location='bottom', shrink=0.5, aspect=30, pad=0.01
            )
            bar.outline.set_visible(False)
            bar.ax.xaxis.set_major_locator(MaxNLocator(3))
    return figure


_KINDS = ('fixed', 'mask', 'inferred')
_TITLES = ('A, fixed, scales 1 to 3', 'mask, learned', 'G, inferred from this clip')


def _frame_matrices(axes, scales: int, joints: int, theme: Theme) -> None:
    for scale in range(1, scales):
        axes.axvline(scale * joints - 0.5, color=theme.text, linewidth=0.8)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_body(axes, projected, person: int, inferred: np.ndarray, layout: Layout, theme) -> None:
    from matplotlib.collections import LineCollection

    points = projected.points[person]
    frame = int(np.isfinite(points).all(-1).sum(1).argmax())
    pose = PoseArtists(axes, layout, theme, size=0.5)
    pose.show(points[None, frame], np.zeros((1, layout.num_node)))
    edges = strongest_edges(inferred)
    if len(edges):
        share = edges[:, 2] / edges[:, 2].max()
        lines = points[frame][edges[:, :2].astype(int)]
        whole = np.isfinite(lines).all((1, 2))
        axes.add_collection(
            LineCollection(
                lines[whole],
                colors=theme.colors(0.35 + 0.65 * share[whole]),
                linewidths=1.4 * share[whole],
                zorder=3,
            )
        )
    show_limits(axes, limits_of(points[frame]), shape=0.8)
