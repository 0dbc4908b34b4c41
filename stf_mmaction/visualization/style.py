"""Define the style of all pictures: colours, fonts, names."""

import hashlib
import re
import unicodedata
import warnings
from bisect import bisect
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Tuple

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.colors import Colormap

NAME_LENGTH = 60  # characters of a clip or class that are shown
LRM = '\u200e'  # left-to-right mark


class Theme(NamedTuple):
    """Colours of a picture.

    The luminance of the colour map falls (light) or rises (dark) evenly, so
    that it is readable in black and white and for the colour-blind; the size
    of joints also grows with the focus.

    Attributes:
        background (str): Colour of the background.
        text (str): Colour of titles, ticks and labels.
        bones (str): Colour of lines between joints.
        frame (str): Colour of thin lines around parts.
        cmap (str): Name of a colour map of matplotlib.
        part (tuple[float, float]): The part of it that is used.
        diverging (tuple[str]): Colours from the lowest to the highest value,
            for values of both signs; zero has the colour of the background.
    """

    background: str
    text: str
    bones: str
    frame: str
    cmap: str
    part: Tuple[float, float]
    diverging: Tuple[str, ...]

    @property
    def colors(self) -> 'Colormap':
        """Return the colour map from no focus to full focus."""
        import numpy as np
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        return ListedColormap(colormaps[self.cmap](np.linspace(*self.part, 256)), 'focus')

    @property
    def signed_colors(self) -> 'Colormap':
        """Return the colour map from the lowest value over zero to the highest."""
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list('signed', self.diverging)


# Orange and violet are told apart with any colour vision.
_ON_WHITE = ('#7f3b08', '#e08214', '#fdd9ae', 'white', '#d8d4ea', '#8073ac', '#2d004b')
_ON_BLACK = ('#ffe3b8', '#f1a340', '#7a4a14', '#15171c', '#453d75', '#998ec3', '#e4e0ff')

THEMES: Dict[str, Theme] = dict(
    light=Theme('white', '#222222', '#b0b0b0', '#d0d0d0', 'magma_r', (0.0, 0.92), _ON_WHITE),
    dark=Theme('#15171c', '#e6e6e6', '#5c6370', '#3a3f4b', 'magma', (0.12, 1.0), _ON_BLACK),
)


def theme_of(name: str) -> Theme:
    """Return a theme by its name.

    Raises:
        ValueError: If there is no such theme.
    """
    if name not in THEMES:
        raise ValueError(f'theme {name!r} is unknown: use one of {sorted(THEMES)}')
    return THEMES[name]


@contextmanager
def styled(theme: Theme, texts: Iterable[str] = ()) -> Iterator[None]:
    """Apply the style within this context.

    Names are shown as they are: a dollar sign does not start a formula.

    Args:
        theme (Theme): Colours.
        texts (Iterable[str]): The texts to be drawn. If the font lacks a
            character, an installed font that has it is added.
    """
    import matplotlib

    settings = {
        'font.family': ['DejaVu Sans', *_fonts_for(''.join(texts))],
        'text.parse_math': False,
        'font.size': 8,
        'axes.titlesize': 9,
        'axes.labelsize': 8,
        'xtick.labelsize': 7,
        'ytick.labelsize': 6.5,
        'axes.linewidth': 0.6,
        'xtick.major.width': 0.6,
        'ytick.major.width': 0.6,
        'xtick.major.size': 2.5,
        'ytick.major.size': 0,
        'pdf.fonttype': 42,
        # Otherwise the ids in an SVG are random.
        'svg.hashsalt': 'stf_mmaction',
        'figure.facecolor': theme.background,
        'axes.facecolor': theme.background,
        'savefig.facecolor': theme.background,
        'axes.edgecolor': theme.frame,
    }
    for name in ('text.color', 'axes.labelcolor', 'axes.titlecolor', 'xtick.color', 'ytick.color'):
        settings[name] = theme.text
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # styled warns itself, once.
        warnings.filterwarnings('ignore', message='Glyph .* missing from')
        yield


def _fonts_for(text: str) -> List[str]:
    """Return installed fonts for characters that DejaVu Sans, matplotlib's own font, lacks."""
    written = {c for c in text if ord(c) > 126 and unicodedata.category(c)[0] not in 'CZ'}
    fonts, missing = _fonts_with(frozenset(map(ord, written)))
    if missing:
        lacking = ''.join(map(chr, sorted(missing)[:5]))
        warnings.warn(
            f'no installed font has the characters {lacking!r}, which are drawn as boxes: '
            'install one, such as the package fonts-noto-cjk',
            stacklevel=2,
        )
    return list(fonts)


@lru_cache(maxsize=32)
def _fonts_with(characters: FrozenSet[int]) -> Tuple[Tuple[str, ...], FrozenSet[int]]:
    """Return fonts that together have some characters, and the characters that none has."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    if not characters:
        return (), characters
    manager = font_manager.fontManager
    missing = characters - set(FT2Font(font_manager.findfont('DejaVu Sans')).get_charmap())
    if missing:  # matplotlib does not notice fonts that were installed after its first start
        for path in sorted(
            set(font_manager.findSystemFonts()) - {e.fname for e in manager.ttflist}
        ):
            with suppress(OSError, RuntimeError):
                manager.addfont(path)
    fonts: List[str] = []
    known = {e.fname: e for e in manager.ttflist if e.weight == 400}
    # Upright fonts without serifs come first; the last resort has only boxes.
    for path in sorted(known, key=lambda p: ('sans' not in p.lower(), known[p].style, p)):
        if not missing:
            break
        if 'lastresort' in path.lower():
            continue
        try:
            found = missing & set(FT2Font(path).get_charmap())
        except (OSError, RuntimeError):
            continue
        if found:
            fonts.append(known[path].name)
            missing -= found
    return tuple(fonts), missing


def shown(name: str, length: int = NAME_LENGTH) -> str:
    """Return a name on one line, without control characters, cut to a length.

    Args:
        name (str): Name of a clip or a class.
        length (int): Largest number of characters. Defaults to 60.
    """
    one_line = ''.join(' ' if unicodedata.category(c)[0] in 'CZ' and c != LRM else c for c in name)
    one_line = ' '.join(one_line.split())
    one_line = one_line if len(one_line) <= length else one_line[: length - 1] + '…'
    # Right-to-left text does not change the order of the text around it.
    return f'{LRM}{one_line}{LRM}' if _runs_left(one_line) else one_line


def _runs_left(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in ('R', 'AL') for c in text)


def fitted(text: str, inches: float, size: float, lines: int = 1) -> str:
    """Break a text into lines of a width, and cut the rest; call it within :func:`styled`.

    Args:
        text (str): One line, as returned by :func:`shown`.
        inches (float): Width of a line.
        size (float): Size of the font in points.
        lines (int): Largest number of lines. Defaults to 1.
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    # Letters are rounded to pixels, so they are widest at the lowest resolution of pictures.
    renderer, font = RendererAgg(1, 1, 100), FontProperties(size=size)

    def fits(part: str) -> bool:
        return renderer.get_text_width_height_descent(part, font, False)[0] <= 100 * inches

    found = []
    while len(found) < lines - 1 and not fits(text):
        most = bisect(range(1, len(text)), False, key=lambda count: not fits(text[:count]))
        # Break between words, but not within "p = 0.76".
        spaces = [m.start() for m in re.finditer('(?<!=) (?!=)', text[: most + 1]) if m.start()]
        most = spaces[-1] if spaces else max(most, 1)
        found.append(text[:most].rstrip())
        text = text[most:].lstrip()
    if not fits(text):
        ends = range(1, len(text))
        most = bisect(ends, False, key=lambda count: not fits(f'{text[:count]}…'))
        text = f'{text[:most].rstrip()}…'
    return '\n'.join(LRM + line if _runs_left(line) else line for line in [*found, text])


def file_stem(name: str) -> str:
    """Return a file name for a clip or a class; different names never share one.

    Args:
        name (str): Any text.
    """
    safe = re.sub(r'[^\w.-]+', '_', name, flags=re.ASCII).strip('.')[:80]
    if safe == name and safe:
        return safe
    digest = hashlib.sha1(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]
    return f'{safe}-{digest}' if safe else digest
