"""Draw where a network looks; matplotlib is loaded when something is drawn."""

from .clip import FocusedClip
from .clip_figure import DrawnClip, draw_clips
from .saving import save
from .still import draw_focus
from .style import file_stem

__all__ = ['DrawnClip', 'FocusedClip', 'draw_clips', 'draw_focus', 'file_stem', 'save']
