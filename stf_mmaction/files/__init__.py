"""Read untrusted files safely, and write files atomically."""

from .reading import read_checkpoint, safe_load
from .text import check_arrays, check_regular, read_arrays, read_json, read_text, read_yaml
from .writing import check_writable, lock_folder, os_error_sentence, replacing

__all__ = [
    'check_arrays',
    'check_regular',
    'check_writable',
    'lock_folder',
    'os_error_sentence',
    'read_arrays',
    'read_checkpoint',
    'read_json',
    'read_text',
    'read_yaml',
    'replacing',
    'safe_load',
]
