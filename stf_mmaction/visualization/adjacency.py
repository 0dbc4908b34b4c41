"""Draw the adjacency matrices of STF modules, and their edges on the body."""

from typing import TYPE_CHECKING, NamedTuple, Sequence

import numpy as np

from stf_mmaction.datasets.layouts import Layout

from .clip import FocusedClip
from .limbs import row_order
from .skeleton import PoseArtists
from .style import Theme, fitted, shown, styled, theme_of
from .views import limits_of, project, show_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGES = 20  # drawn on the body
WIDTH = 11.0  # inches


class ModuleAdjacency(NamedTuple):
    """Terms of Eq. (1) for one STF module.

    Attributes:
        name (str): Name of the module.
        fixed (numpy.ndarray): A_k, [scale, to, from], shape (K, V, V).
        mask (numpy.ndarray): Learned mask, the same for all clips, (K, V, V).
        inferred (numpy.ndarray): G_k of each person of the clip, zero for
            persons who are left out, shape (M, K, V, V).
    """

    name: str
    fixed: np.ndarray
    mask: np.ndarray
    inferred: np.ndarray


def strongest_edges(inferred: np.ndarray, count: int = EDGES) -> np.ndarray:
    """Return the joints that G_k connects most strongly, the weakest of them first.

    The strength of an edge is the sum over scales of |G_k|, in the stronger
    direction.

    Args:
        inferred (numpy.ndarray): G_k of one person, shape (K, V, V).
        count (int): Largest number of edges. Defaults to 20.

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

    On the body, joints show the mean of G_k over the joints from which they
    receive, and edges are the pairs whose G_k differs most from that mean.

    Args:
        modules (Sequence[ModuleAdjacency]): The modules, one per row.
        clip (FocusedClip): The clip of G_k; the person who is seen most is
            drawn.
        layout (Layout): The skeleton; joints are in the order of its limbs.
        view, theme: As in :func:`draw_focus`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    clip.check(layout.num_node)
    colors, order = theme_of(theme), row_order(layout)
    person = int(clip.seen.sum((1, 2)).argmax())
    one = clip._replace(keypoint=clip.keypoint[[person]], focus=clip.focus[[person]])
    points = project(one, layout, view).points[0]
    rows = [(m.name, m.fixed, m.mask, m.inferred[person]) for m in modules]
    with styled(colors, [clip.title]):
        figure = Figure(figsize=(WIDTH, 0.9 + 1.42 * len(rows)), layout='constrained')
        title = fitted(shown(clip.title, 160), WIDTH - 0.3, 9)
        figure.suptitle(title, x=0.01, ha='left', fontsize=9)
        grid = figure.add_gridspec(len(rows), 4, width_ratios=(3, 3, 3, 1.6))
        images = [[], [], []]
        for row, (name, *matrices) in enumerate(rows):
            for column, values in enumerate(matrices):
                most = max(np.abs(own[column + 1]).max() for own in rows)
                axes = figure.add_subplot(grid[row, column])
                image = _draw_matrices(axes, values[:, order][:, :, order], most, column, colors)
                images[column].append(image)
                if row == 0:
                    axes.set_title(_TITLES[column], loc='left')
                if column == 0:
                    axes.set_ylabel(f'{name}\nto', linespacing=1.6)
                if row == len(rows) - 1:
                    axes.set_xlabel('from')
            body = figure.add_subplot(grid[row, 3])
            _draw_body(body, points, matrices[2], layout, colors)
            if row == 0:
                body.set_title('G on the body')
        for column, drawn in enumerate(images):
            axes = [image.axes for image in drawn]
            place = dict(location='bottom', shrink=0.5, aspect=30, pad=0.01)
            bar = figure.colorbar(drawn[0], ax=axes, **place)
            bar.outline.set_visible(False)
            bar.ax.xaxis.set_major_locator(MaxNLocator(4))
            bar.set_label('' if column == 0 else 'relative to the value above each', fontsize=7)
    return figure


_TITLES = ('A, fixed, scales 1 to 3', 'mask, learned', 'G, inferred from this clip')
LEAST = 0.05  # of the largest value of a kind, at which colours of a module are full


def _draw_matrices(axes: 'Axes', values: np.ndarray, most: float, column: int, theme: Theme):
    """Draw the matrices of a module side by side; each learned one has its own scale."""
    scale = 1.0 if column == 0 else max(np.abs(values).max(), LEAST * most) or 1.0
    image = axes.imshow(
        np.concatenate(values, 1) / scale,
        cmap=theme.colors if column == 0 else theme.signed_colors,
        vmin=0 if column == 0 else -1,
        vmax=most or 1 if column == 0 else 1,
        interpolation='nearest',
    )
    if column:
        axes.text(1, 1.03, f'±{scale:.2g}', transform=axes.transAxes, ha='right', fontsize=7)
    _frame_matrices(axes, len(values), values.shape[1], theme)
    return image


def _frame_matrices(axes, scales: int, joints: int, theme: Theme) -> None:
    for scale in range(1, scales):
        axes.axvline(scale * joints - 0.5, color=theme.text, linewidth=0.8)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_body(axes, points: np.ndarray, inferred: np.ndarray, layout: Layout, theme) -> None:
    """Draw what each joint receives on average as joints, and deviations from it as edges."""
    from matplotlib.collections import LineCollection

    frame = int(np.isfinite(points).all(-1).sum(1).argmax())
    alike = inferred.mean(2, keepdims=True)  # over the joints from which it receives
    gathered = np.abs(alike[..., 0]).sum(0)
    pose = PoseArtists(axes, layout, theme, size=0.8)
    pose.show(points[None, frame], gathered[None] / (gathered.max() or 1))
    edges = strongest_edges(inferred - alike)
    if len(edges):
        share = edges[:, 2] / edges[:, 2].max()
        lines = points[frame][edges[:, :2].astype(int)]
        whole = np.isfinite(lines).all((1, 2))
        axes.add_collection(
            LineCollection(
                lines[whole],
                colors=theme.colors(0.3 + 0.5 * share[whole]),
                linewidths=1.2 * share[whole],
                zorder=1.5,  # above bones, below joints
            )
        )
    show_limits(axes, limits_of(points[frame]), shape=0.85)
