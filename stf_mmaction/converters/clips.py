"""Describe the clips of a data set, and find their files."""

import math
import os
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from stf_mmaction.files import check_regular

NOBODY = 'nobody is in it'
UNSEEN = 'all its scores are 0, so no joint counts as seen'
# A clip may have MAX_SPAN frames for each listed one, and FREE_SPAN more.
MAX_SPAN, FREE_SPAN = 10, 1000
# Frames may be numbered in steps, such as every fifth of a video, or in milliseconds.
MIN_STEPS, MAX_STEP = 4, 1000

Skipped = List[Tuple[str, str]]


class Unusable(ValueError):
    """Raised for an intact file that yields no clip; its text is the reason."""


class Clip(NamedTuple):
    """A clip to convert.

    Attributes:
        frame_dir (str): Its id in the pickle.
        label (int): Its class.
        splits (tuple[str]): The splits to which it belongs.
        source (Path): The file from which it is read.
        place (int): Its index among the clips of that file. Defaults to 0.
    """

    frame_dir: str
    label: int
    splits: Tuple[str, ...]
    source: Path
    place: int = 0


def find_files(source: Path, fits: Callable[[str], bool]) -> Tuple[List[Path], Skipped]:
    """Find files in a folder and its subfolders.

    Args:
        source (Path): The folder. Links to folders are not followed.
        fits (callable): Returns whether to read a file of this name.

    Returns:
        tuple: The files in order; the names of those that cannot be read,
        with the reason.
    """
    found: List[Path] = []
    skipped: Skipped = []

    def unreadable(error: OSError) -> None:
        skipped.append((printable(error.filename), f'it cannot be read: {error.strerror}'))

    for folder, _, names in os.walk(source, onerror=unreadable):
        for name in filter(fits, names):
            path = Path(folder, name)
            why = _unreadable(path)
            if why is None:
                found.append(path)
            else:
                skipped.append((printable(path.relative_to(source).as_posix()), why))
    return sorted(found), sorted(skipped)


def _unreadable(path: Path) -> Optional[str]:
    try:
        check_regular(path)
        str(path).encode()
    except UnicodeEncodeError:
        return 'its name is not in UTF-8: rename it'
    except FileNotFoundError:
        return 'it is a link to a file that does not exist'
    except OSError as error:
        return f'it cannot be read: {error.strerror}'
    except ValueError:
        return 'it is not a file, but a pipe or a device'
    return None


def printable(name: str) -> str:
    """Return a name on one line, in UTF-8."""
    name = ''.join(c if c.isprintable() else c.encode('unicode-escape').decode() for c in name)
    return name.encode('utf-8', 'backslashreplace').decode()


def place_frames(numbers: Sequence[int]) -> Tuple[np.ndarray, int]:
    """Return the place of each frame in its clip, from 0.

    Frames between those that are listed are empty. If all numbers are
    multiples of a step apart, such as those of every fifth frame of a video,
    they count in steps.

    Args:
        numbers (Sequence[int]): Numbers of the frames that are listed, at
            least one. They may repeat.

    Returns:
        tuple: Places (n,), and the number of frames of the clip.

    Raises:
        ValueError: If most frames would be empty, as with time stamps.
    """
    first, last, listed = int(min(numbers)), int(max(numbers)), len(set(map(int, numbers)))
    offsets = [int(number) - first for number in numbers]
    step = math.gcd(*offsets)
    if not (1 < step <= MAX_STEP and listed > MIN_STEPS):
        step = 1
    if (last - first) // step >= MAX_SPAN * listed + FREE_SPAN:
        raise ValueError(
            f'its frames go from {first} to {last}, but it lists only {listed}: '
            'number them one by one, not by time'
        )
    return np.array(offsets) // step, (last - first) // step + 1
