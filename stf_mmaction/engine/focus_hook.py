"""Pictures of the focus while testing."""

from pathlib import Path
from typing import Dict, Optional, Sequence

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from stf_mmaction.datasets.clip_view import view_clips
from stf_mmaction.visualization import draw_focus, file_stem, save
from stf_mmaction.visualization.style import theme_of

from .inference import focus_of_clip
from .sanity_hooks import unwrapped


@HOOKS.register_module()
class FocusVisualizationHook(Hook):
    """Draw the focus of every n-th test clip, one PNG each.

    Args:
        out_dir (str, optional): Folder for the pictures. Defaults to None.
        show (bool): Also show them in a window. Defaults to False.
        interval (int): n. Defaults to 1.
        wait_time (float): Seconds for which a picture is shown.
            Defaults to 2.
    """

    def __init__(
        self,
        out_dir: Optional[str] = None,
        show: bool = False,
        interval: int = 1,
        wait_time: float = 2.0,
    ) -> None:
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.show = show
        self.interval = interval
        self.wait_time = wait_time
        self._index: Dict[str, int] = {}

    def before_test(self, runner: Runner) -> None:
        """Find each clip by its id."""
        dataset = self._clips = view_clips(runner.test_dataloader.dataset)
        self._index = {
            str(dataset.get_data_info(i).get('frame_dir', i)): i for i in range(len(dataset))
        }

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Optional[dict] = None,
        outputs: Optional[Sequence] = None,
    ) -> None:
        """Draw clips of a batch."""
        dataset = self._clips
        for sample in outputs:
            name = sample.metainfo.get('frame_dir')
            if name is None:
                raise ValueError(
                    'test samples carry no frame_dir to find their clip by: '
                    "write dict(type='PackActionInputs', "
                    "meta_keys=('frame_dir', ))"
                )
            index = self._index[str(name)]
            if index % self.interval:
                continue
            model = unwrapped(runner)
            clip = focus_of_clip(model, dataset, index)
            layout = model.lead.layout
            figure = draw_focus([clip], layout)
            if self.out_dir is not None:
                save(figure, self.out_dir / f'{file_stem(name)}.png', theme_of('light'))
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
