"""Draw the focus while testing."""

from pathlib import Path
from typing import Optional

from mmaction.registry import HOOKS
from mmengine.runner import Runner

from stf_mmaction.visualization import draw_focus, file_stem, save
from stf_mmaction.visualization.style import theme_of

from .focus_file import FocusRow
from .focus_rows_hook import FocusRowsHook
from .inference import class_names_of, clip_to_draw, with_verdict
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FocusVisualizationHook(FocusRowsHook):
    """Draw the focus of every n-th test clip as a PNG, from the features of the test.

    Args:
        out_dir (str, optional): Folder for the pictures. Defaults to None.
        show (bool): Also show them in a window. Defaults to False.
        interval (int): n. Defaults to 1.
        wait_time (float): Seconds for which a picture is shown.
            Defaults to 2.

    Raises:
        ValueError: If ``interval`` is below 1.
    """

    def __init__(
        self,
        out_dir: Optional[str] = None,
        show: bool = False,
        interval: int = 1,
        wait_time: float = 2.0,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval={interval} of FocusVisualizationHook must be at least 1')
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.show = show
        self.interval = interval
        self.wait_time = wait_time

    def before_test(self, runner: Runner) -> None:
        """Check that the model can compute the focus, and get its skeleton.

        Raises:
            ValueError: If it has none of them.
        """
        super().before_test(runner)
        model = unwrapped(runner)
        self._layout = model.lead.layout
        self._names = class_names_of(model, runner.test_dataloader.dataset)

    def wants(self, index: int) -> bool:
        """Return whether a clip is drawn."""
        return index % self.interval == 0

    def add_row(self, row: FocusRow) -> None:
        """Draw one clip."""
        clip = clip_to_draw(self.clip_info(row.index))._replace(focus=row.focus[0])
        clip = with_verdict(clip, row.label, int(row.classes[0]), row.scores, self._names)
        figure = draw_focus([clip], self._layout)
        if self.out_dir is not None:
            save(figure, self.out_dir / f'{file_stem(row.clip)}.png', theme_of('light'))
        if self.show:
            self._show(figure)

    def _show(self, figure) -> None:
        import matplotlib.pyplot as plt

        manager = plt.figure().canvas.manager
        figure.set_canvas(manager.canvas)
        manager.canvas.figure = figure
        plt.show(block=False)
        plt.pause(self.wait_time)
        plt.close()
