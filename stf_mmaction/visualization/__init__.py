from .focus_figure import FocusedClip, draw_focus, look_at

__all__ = ['FocusedClip', 'draw_focus', 'look_at']
