"""Replay training steps on a GPU as CUDA graphs."""

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from stf_mmaction.models.recognizers.graphed_loss import record_steps

from .sanity_hooks import unwrapped


@HOOKS.register_module()
class CUDAGraphHook(Hook):
    """Record the losses and gradients of MS-G3D as a CUDA graph; see :class:`GraphedLoss`.

    ``tools/train.py`` adds it if the config has ``cuda_graph=True``. Without a GPU, and for other
    networks, it does nothing.
    """

    def before_train(self, runner: Runner) -> None:
        """Let the networks replay their steps."""
        if torch.cuda.is_available() and record_steps(unwrapped(runner)):
            runner.logger.info('training steps of one shape are replayed as a CUDA graph')

    def after_train(self, runner: Runner) -> None:
        """Free the memory of the recordings."""
        for part in unwrapped(runner).modules():
            if hasattr(part, 'graphed'):
                part.graphed = None
