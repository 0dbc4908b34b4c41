"""The lines of a table of experiments."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator

from stf_mmaction.files import read_text
from stf_mmaction.locations import TOOLS

RESULTS = TOOLS / 'experiments/results'
# What every line holds, whatever its table.
LINE_KEYS = {'key', 'row', 'set', 'split', 'seed', 'top1'}


class Results:
    """The lines of a table, in a file that survives a kill at any time.

    Args:
        path (pathlib.Path): JSON lines; made if it does not exist.
        writing (bool): Whether this process is the one that adds lines.

    Raises:
        ValueError: If another process is adding lines.
    """

    def __init__(self, path: Path, writing: bool = False) -> None:
        self.path = path
        if writing:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(path.with_suffix('.lock'), 'w')
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f'{path} is being written by another run: wait for it') from None

    def lines(self) -> Iterator[Dict[str, Any]]:
        """Yield the complete lines; one that was cut by a kill is left out.

        Raises:
            ValueError: If a line is whole, and no result.
        """
        if not self.path.is_file():
            return
        for number, text in enumerate(read_text(self.path).splitlines(), 1):
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if not isinstance(line, dict) or not LINE_KEYS <= set(line):
                raise ValueError(
                    f'{self.path}: line {number} is not a result with {sorted(LINE_KEYS)}: '
                    'remove it'
                )
            yield line

    def add(self, line: Dict[str, Any]) -> None:
        """Append a line; it is on disk when this returns."""
        # Opened anew each time: Git may have put another file there.
        with open(self.path, 'ab+') as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            cut = file.read(1) not in (b'', b'\n')
            file.write(f'{os.linesep * cut}{json.dumps(line)}\n'.encode())
            file.flush()
            os.fsync(file.fileno())
