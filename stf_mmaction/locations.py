"""Locations of the configs and tools: in the repository, or in ``.mim`` of an installed wheel."""

from pathlib import Path

_MIM = Path(__file__).resolve().parent / '.mim'  # links in the repository, copies in a wheel
CONFIGS = (_MIM / 'configs/stf').resolve()
TOOLS = (_MIM / 'tools').resolve()
# The folder to which paths in configs are relative, such as data/skeleton and work_dirs.
ROOT = CONFIGS.parent if CONFIGS.parent == TOOLS.parent else Path.cwd()
