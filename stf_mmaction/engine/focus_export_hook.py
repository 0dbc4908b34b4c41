"""Write the focus of every test clip while testing."""

from pathlib import Path
from typing import Sequence, Union

from mmaction.registry import HOOKS
from mmengine.dist import barrier, get_dist_info
from mmengine.runner import Runner

from .focus_file import FocusFile, FocusRow, FocusWriter
from .focus_rows_hook import FocusRowsHook
from .inference import check_knows_focus, class_names_of
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FocusExportHook(FocusRowsHook):
    """Write the focus for the two most probable classes of every test clip.

    The network runs once: the focus is computed from the features of the test.
    Each process writes its own file, and the first one joins them. See
    :class:`FocusFile` for its contents.

    Args:
        out (str): The file, ``.npz``.
        class_names (str or Sequence[str], optional): Names of the classes, or
            a text file with one per line. Defaults to None, the names in the
            annotation file, or ``class 0`` and so on.

    Raises:
        ValueError: If the file does not end in .npz.
    """

    def __init__(
        self, out: Union[str, Path], class_names: Union[str, Sequence[str], None] = None
    ) -> None:
        self.out = Path(out)
        if self.out.suffix != '.npz':
            raise ValueError(f'out={str(out)!r} must end in .npz')
        self.class_names = class_names

    def before_test(self, runner: Runner) -> None:
        """Open the file.

        Raises:
            ValueError: If the model cannot compute the focus, or the names do
                not fit its classes.
        """
        model = unwrapped(runner)
        check_knows_focus(model)
        self._names = class_names_of(model, runner.test_dataloader.dataset, self.class_names)
        rank, _ = get_dist_info()
        self._writer = FocusWriter(self.out if rank == 0 else self._part(rank))
        super().before_test(runner)

    def add_row(self, row: FocusRow) -> None:
        """Write the results of one clip."""
        self._writer.add(row)

    def after_test(self, runner: Runner) -> None:
        """Complete the file, and restore data and model."""
        super().after_test(runner)
        rank, processes = get_dist_info()
        if rank > 0:
            self._writer.close(self._names)
        barrier()
        if rank == 0:
            for other in range(1, processes):
                for row in FocusFile(self._part(other)):
                    self._writer.add(row)
                self._part(other).unlink()
            self._writer.close(self._names)
            runner.logger.info(f'Wrote the focus of {len(self._writer)} clips to {self.out}')

    def _part(self, rank: int) -> Path:
        return self.out.with_name(f'{self.out.stem}.rank{rank}.npz')
