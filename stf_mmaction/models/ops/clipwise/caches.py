"""Sizes of temporaries, by the caches of this CPU."""

from pathlib import Path
from typing import Optional

CPU = Path('/sys/devices/system/cpu/cpu0/cache')


def cache_size(level: int, root: Path = CPU) -> Optional[int]:
    """Return the bytes of a cache that one core can use, None if the system does not report it.

    Args:
        level (int): Such as 2 or 3.
        root (Path): Folder in which Linux describes the caches of a core.
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


FLOAT = 4  # bytes
L2 = cache_size(2) or 2**20
L3 = cache_size(3) or 2**25
# Size of a scratch that is written and immediately read again, in a share of the common cache.
SCRATCH = min(2**22, L3 // 8) // FLOAT
# Size of the partial sums of a gradient, which every frame reads and writes: half of a core's own
# cache. Measured: 2^16 or 2^17 on an EPYC (512 KiB), 2^18 on a Xeon (2 MiB).
PARTIAL_SUMS = L2 // 2 // FLOAT
