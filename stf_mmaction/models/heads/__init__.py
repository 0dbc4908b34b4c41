from .stf_head import FocusContext, STFHead

__all__ = ['FocusContext', 'STFHead']
