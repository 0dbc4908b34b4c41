"""Read and append the result lines of a table of experiments."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator

from stf_mmaction.files import read_text
from stf_mmaction.locations import TOOLS

RESULTS = TOOLS / 'experiments/results'
# Keys that every line has.
LINE_KEYS = {'key', 'row', 'set', 'split', 'seed', 'top1'}


class Results:
    """Result lines in a file that stays valid if the process is killed at any time.

    Args:
        path (pathlib.Path): File of JSON lines, which need not exist.
        writing (bool): Whether to lock the file to add lines. Defaults to False.

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
        """Yield the lines, without any that a kill cut off.

        Raises:
            ValueError: If a complete line is not a result.
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
        # The file is opened each time, since Git may have replaced it.
        with open(self.path, 'ab+') as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            cut = file.read(1) not in (b'', b'\n')
            file.write(f'{os.linesep * cut}{json.dumps(line)}\n'.encode())
            file.flush()
            os.fsync(file.fileno())
