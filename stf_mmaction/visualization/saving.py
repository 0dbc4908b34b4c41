"""Save pictures: check their endings and sizes, and write the same bytes each time."""

from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence, Union

from stf_mmaction.files import replacing

from .style import Theme, styled, theme_of

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.figure import Figure

PICTURES = ('.png', '.svg', '.pdf')
DPI = 150
MAX_PIXELS = 1 << 15  # per side; many viewers show no more


def save(
    figure: 'Figure', path: Union[str, Path], theme: Optional[Theme] = None, dpi: int = DPI
) -> None:
    """Write a figure: PNG, SVG or PDF, by the ending.

    The same figure always gives the same bytes.

    Args:
        figure (matplotlib.figure.Figure): The picture.
        path (str or Path): The file; its folder is created.
        theme (Theme, optional): Its colours. Defaults to None, the light theme.
        dpi (int): Pixels per inch. Defaults to 150.

    Raises:
        ValueError: If the ending is not supported, or the picture is too large.
    """
    path = check_picture(path)
    check_size(figure, dpi)
    dates = {'.png': dict(Software=None), '.svg': dict(Date=None), '.pdf': dict(CreationDate=None)}
    with styled(theme or theme_of('light')), replacing(path) as partial:
        round_layout(figure, dpi)
        figure.savefig(partial, dpi=dpi, metadata=dates[path.suffix.lower()])


def round_layout(figure: 'Figure', dpi: float) -> None:
    """Lay out a figure and round the positions of its axes, so that its file is always the same.

    The solver of matplotlib's constrained layout differs in the last digits from one figure to
    the next, and an SVG names its clip regions by them.

    Args:
        figure (matplotlib.figure.Figure): The figure, changed in place.
        dpi (float): Dots per inch of the file.
    """
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    figure.set_layout_engine('none')
    for axes in figure.axes:
        bounds = axes.get_position(original=True).bounds
        axes.set_position([round(value, 6) for value in bounds])


def check_size(figure: 'Figure', dpi: int = DPI) -> None:
    """Check that a picture is small enough to be shown.

    Args:
        figure (matplotlib.figure.Figure): The picture.
        dpi (int): Pixels per inch. Defaults to 150.

    Raises:
        ValueError: If a side is longer than ``MAX_PIXELS``.
    """
    pixels = max(figure.get_size_inches()) * dpi
    if pixels > MAX_PIXELS:
        raise ValueError(
            f'the picture would be {pixels:.0f} pixels long, and {MAX_PIXELS} is the most: draw '
            'fewer clips or classes at a time'
        )


def check_ending(path: Union[str, Path], endings: Sequence[str]) -> str:
    """Return the ending of a file in lower case.

    Args:
        path (str or Path): The file.
        endings (Sequence[str]): The endings that are supported.

    Raises:
        ValueError: If it has another ending.
    """
    kind = Path(path).suffix.lower()
    if kind not in endings:
        raise ValueError(f'{path} must end in {", ".join(endings[:-1])} or {endings[-1]}')
    return kind


def check_picture(path: Union[str, Path]) -> Path:
    """Return the path of a picture, or raise the ValueError of :func:`check_ending`."""
    check_ending(path, PICTURES)
    return Path(path)
