"""Sizes of temporaries, by the caches of this CPU."""

from pathlib import Path
from typing import Optional

CPU = Path('/sys/devices/system/cpu/cpu0/cache')


def cache_size(level: int, root: Path = CPU) -> Optional[int]:
    """Return the bytes of a cache that one core can use, None where the system does not tell.

    Args:
        level (int): 2 or 3, say.
        root (Path): Where Linux describes the caches of a core.
    """
    for index in sorted(root.glob('index*')):
        try:
            kind = (index / 'type').read_text().strip()
            if kind == 'Instruction' or int((index / 'level').read_text()) != level:
                continue
            text = (index / 'size').read_text().strip()
        except (OSError, ValueError):
            continue
        units = dict(K=2**10, M=2**20, G=2**30)
        return int(text.rstrip('KMG')) * units.get(text[-1], 1)
    return None


# Numbers (of four bytes) of a scratch that is written and read again at once.
SCRATCH = 2**20
# Numbers of the partial sums of a gradient, side by side, which every frame reads and writes.
PARTIAL_SUMS = 2**18
