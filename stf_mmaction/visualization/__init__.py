from .clip_figure import DrawnClip, draw_clips
from .focus_figure import FocusedClip, draw_focus

__all__ = ['DrawnClip', 'FocusedClip', 'draw_clips', 'draw_focus']
