"""Files: read without trust, written whole or not at all."""

from .reading import read_checkpoint, safe_load
from .writing import check_writable, lock_folder, os_error_sentence, replacing

__all__ = [
    'check_writable',
    'lock_folder',
    'os_error_sentence',
    'read_checkpoint',
    'replacing',
    'safe_load',
]
