"""Write files atomically, in folders that others may use."""

import errno
import fcntl
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, TextIO, Union

_WHY = {
    errno.ENOSPC: 'no space is left on the disk: make room and start again',
    errno.EDQUOT: 'your disk quota is used up: make room and start again',
    errno.EFBIG: 'the file is larger than the system allows: raise the limit (ulimit -f)',
    errno.EROFS: 'the disk is read-only: choose another folder',
    errno.EACCES: 'permission denied: choose another folder, or ask its owner',
    errno.EPERM: 'permission denied: choose another folder, or ask its owner',
    errno.ENAMETOOLONG: 'the name is too long: choose a shorter one',
    errno.EISDIR: 'it is a folder: name a file',
    errno.ENOTDIR: 'a part of its path is a file: choose another folder',
    errno.EEXIST: 'a part of its path is a file: choose another folder',
    errno.ELOOP: 'its links form a loop: remove them',
    errno.EIO: 'the disk reports an error: check it',
    errno.ESTALE: 'the network folder is gone: mount it again',
}
# Kept open until the process ends, since closing would release the locks.
_locks: Dict[Path, TextIO] = {}


@contextmanager
def replacing(path: Union[str, Path]) -> Iterator[Path]:
    """Write a file under another name, and rename it when it is complete::

        with replacing('scores.pkl') as partial:
            partial.write_bytes(data)

    After a crash, a full disk or a power cut, the old file is intact, and no
    part of the new one exists. The folder is created.

    Args:
        path (str or Path): The file.

    Yields:
        Path: The path to write to, with the same extension.
    """
    path = Path(path)
    # The target of a link is replaced, not the link.
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.stem[:100]}.{os.getpid()}.partial{path.suffix}')
    try:
        yield partial
        with partial.open('rb') as file:
            os.fsync(file.fileno())  # Otherwise it may be empty after a power cut.
        os.replace(partial, path)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(partial):
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: Union[str, Path]) -> None:
    """Raise an error if a file cannot be written, before the work for it starts.

    Args:
        path (str or Path): The file; its folder is created.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, 'Is a directory', str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    probe = path.with_name(f'.{path.stem[:100]}.{os.getpid()}.probe')
    try:
        probe.touch()
    except OSError as error:
        error.filename = str(path)
        raise
    probe.unlink()


def os_error_sentence(error: OSError) -> str:
    """Return a sentence that names the file, the problem and the remedy.

    Args:
        error (OSError): Raised for a file.
    """
    why = _WHY.get(error.errno)
    if why is None:
        return str(error) or type(error).__name__
    name = error.filename if error.filename is not None else 'a file'
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return f'{name} cannot be read or written: {why}'


def lock_folder(folder: Union[str, Path]) -> None:
    """Lock a folder for other processes until this one ends.

    The lock is released when the process ends in any way. It also works
    between computers that share a folder by NFS.

    Args:
        folder (str or Path): The folder, which is created.

    Raises:
        SystemExit: If another process has locked it.
    """
    folder = Path(folder).resolve()
    if folder in _locks:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / '.lock').open('a+')
    try:
        # Unlike a lock by flock, workers do not hold it when this process is killed.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        owner = file.read(200).strip() or 'unknown'
        file.close()
        raise SystemExit(
            f'error: another training writes to {folder} ({owner}): wait until it ends, '
            'or choose another folder with --work-dir'
        ) from None
    except OSError:
        pass  # The file system has no locks.
    _locks[folder] = file
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}')
    file.flush()
