"""Write and read the focus of a whole test in one ``.npz`` file, clip by clip."""

import io
import weakref
import zipfile
from pathlib import Path
from typing import ContextManager, Dict, Iterator, List, NamedTuple, Sequence, Union

import numpy as np

from stf_mmaction.files import check_arrays, check_writable, replacing

ROWS = ('index', 'ids', 'label', 'prediction', 'scores', 'classes')


class FocusRow(NamedTuple):
    """One clip of a focus file.

    Attributes:
        index (int): Position of the clip in the test data.
        clip (str): Its id, ``frame_dir``.
        label (int): True class; -1 if a clip has several or none.
                    scores (numpy.ndarray): Scores of the test, shape (K,).
        classes (numpy.ndarray): The S most probable classes, the prediction
            first, shape (S,).
        focus (numpy.ndarray): For these classes, in [0, 1], in the frames and
            persons of the annotation file, shape (S, M, T, V).
    """

    index: int
    clip: str
    label: int
    scores: np.ndarray
    classes: np.ndarray
    focus: np.ndarray


class FocusWriter:
    """Write a focus file while a test runs.

    Maps are written to the disk one after the other, uncompressed and in half
    precision; only scores stay in memory. The file gets its name when it is
    complete.

    Args:
        path (str or Path): The file, ``.npz``.

    Raises:
        OSError: If it cannot be written.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        check_writable(path)
        self._replacing = replacing(path)
        self._zip = zipfile.ZipFile(self._replacing.__enter__(), 'w')
        self._rows: Dict[str, List] = {name: [] for name in ROWS}
        self._known = set()
        # A failed test leaves no partial file.
        self._discard = weakref.finalize(self, _discard, self._zip, self._replacing)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, row: FocusRow) -> None:
        """Append a clip, unless it was added before.

        Args:
            row (FocusRow): The row of the clip.
        """
        if row.index in self._known:  # samplers of several processes repeat some clips
            return
        self._write(f'focus/{len(self)}', np.asarray(row.focus, np.float16))
        self._known.add(row.index)
        values = (row.index, row.clip, row.label, row.classes[0], row.scores, row.classes)
        for name, value in zip(ROWS, values):
            self._rows[name].append(value)

    def close(self, class_names: Sequence[str]) -> None:
        """Write the arrays for all clips and give the file its name.

        Args:
            class_names (Sequence[str]): Names of the K classes.
        """
        kinds = dict(index=np.int64, ids=np.str_, scores=np.float32)
        for name, values in self._rows.items():
            self._write(name, np.array(values, kinds.get(name, np.int64)))
        self._write('class_names', np.array(class_names, np.str_))
        self._discard.detach()
        self._zip.close()
        self._replacing.__exit__(None, None, None)

    def _write(self, name: str, value: np.ndarray) -> None:
        data = io.BytesIO()
        np.lib.format.write_array(data, value, allow_pickle=False)
        # The same date in every file, so that equal tests give equal bytes.
        self._zip.writestr(zipfile.ZipInfo(f'{name}.npy'), data.getvalue())


def _discard(archive: zipfile.ZipFile, replaced: ContextManager) -> None:
    archive.close()
    replaced.__exit__(GeneratorExit, GeneratorExit(), None)


class FocusFile:
    """Read a focus file; each map is loaded when it is accessed.

    Args:
        path (str or Path): A file written by ``tools/test.py --focus``.

    Attributes:
        ids (list[str]): Ids of the n clips.
        index (numpy.ndarray): Their positions in the test data, shape (n,).
        label (numpy.ndarray): Their classes, shape (n,).
        prediction (numpy.ndarray): The predicted classes, shape (n,).
        scores (numpy.ndarray): Scores of the test, shape (n, K).
        classes (numpy.ndarray): The most probable classes, shape (n, S).
        class_names (list[str]): Names of the K classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a focus file.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        if not Path(path).is_file():
            raise FileNotFoundError(f'focus file {path} does not exist')
        self.path = Path(path)
        try:
            check_arrays(path)
            self._arrays = np.load(path, allow_pickle=False)
            for name in (*ROWS, 'class_names'):
                setattr(self, name, self._arrays[name])
            self._check()
        except Exception:  # A damaged archive can raise any error.
            raise self._not_one() from None
        self.ids = self.ids.tolist()
        self.class_names = self.class_names.tolist()

    def _not_one(self) -> ValueError:
        return ValueError(
            f'{self.path} is not a focus file: make one with tools/test.py CONFIG CHECKPOINT '
            '--focus FILE.npz'
        )

    def _check(self) -> None:
        """Raise a ValueError unless the arrays fit together."""
        count, kinds = len(self.ids), len(self.class_names)
        shapes = dict.fromkeys(ROWS, (count,))
        shapes.update(scores=(count, kinds), classes=(count, self.classes.shape[-1]))
        for name, shape in shapes.items():
            array = getattr(self, name)
            kind = dict(ids='U', scores='f').get(name, 'i')
            # Without clips, NumPy does not know the second axis.
            if array.dtype.kind != kind or array.shape != shape and count:
                raise ValueError(f'{name} of shape {array.shape} and type {array.dtype}')
        if self.class_names.dtype.kind != 'U' or self.class_names.ndim != 1:
            raise ValueError('class_names are not text')
        if count and not (0 <= self.classes.min() and self.classes.max() < kinds):
            raise ValueError('classes that are none')
        if not {f'focus/{i}' for i in range(count)} <= set(self._arrays.files):
            raise ValueError('it has more clips than focus maps')

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[FocusRow]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, number: int) -> FocusRow:
        """Return a clip by its index in the file.

        Raises:
            ValueError: If its focus is damaged.
        """
        try:
            focus = self._arrays[f'focus/{range(len(self))[number]}']
        except IndexError:
            raise
        except Exception as error:  # A damaged archive can raise any error.
            raise ValueError(
                f'{self.path} is damaged in clip {self.ids[number]}: {error}; test again'
            ) from None
        if focus.ndim != 4 or len(focus) != self.classes.shape[1] or focus.dtype.kind != 'f':
            raise self._not_one()
        return FocusRow(
            int(self.index[number]),
            self.ids[number],
            int(self.label[number]),
            self.scores[number],
            self.classes[number],
            focus,
        )

    def find(self, clip: str) -> FocusRow:
        """Return a clip by its id.

        Args:
            clip (str): ``frame_dir`` in the annotation file.

        Raises:
            ValueError: If it is not in the file.
        """
        if clip not in self.ids:
            raise ValueError(
                f'clip {clip!r} is not in {self.path}; its first clips are {self.ids[:3]}'
            )
        return self[self.ids.index(clip)]
