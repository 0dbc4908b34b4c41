from .focus_figure import FocusedClip, draw_focus

__all__ = ['FocusedClip', 'draw_focus']
