"""Make a resumed run end with the same weights as an uninterrupted one."""

from typing import Dict, Optional, Tuple

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from stf_mmaction.datasets.seeded import SeededDataset
from stf_mmaction.upstream import is_resumed, replace_dataset, seeds_differ

from .sanity_hooks import unwrapped

LEFT_OVER = 'left_over_gradients'


@HOOKS.register_module()
class ReproducibleHook(Hook):
    """Derive all random numbers from the seed and the position in the run.

    MMEngine's checkpoints contain no state of random generators, no
    accumulated gradients, and not the seed of the sampler. This hook

    * seeds each clip by seed, epoch and index (:class:`SeededDataset`);
    * seeds PyTorch by seed and iteration, for dropout;
    * saves the gradients that ``accumulative_counts`` has not applied by the
    end of an epoch in the checkpoint, and restores them;
    * gives the sampler the seed of the run that is resumed.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._fresh_seed: Optional[int] = None
        self._left_over: Dict[str, Tensor] = {}
        self._agreed: Optional[Tuple[int, Dict[str, Tensor]]] = None
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def before_run(self, runner: Runner) -> None:
        """Store the seed, which resuming replaces."""
        self._fresh_seed = runner.seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Read the accumulated gradients."""
        self._left_over = dict(checkpoint.get(LEFT_OVER) or {}) if is_resumed(runner) else {}

    def before_train(self, runner: Runner) -> None:
        """Seed the sampler and the clips; restore accumulated gradients."""
        loop = runner.train_loop
        loader = loop.dataloader
        # With a seed for each process, they still share the order of clips.
        apart = seeds_differ(runner)
        seed = runner.seed - (get_rank() if apart else 0)
        sampler = loader.batch_sampler.sampler if loader.batch_sampler else loader.sampler
        if hasattr(sampler, 'seed') and (apart or sampler.seed == self._fresh_seed):
            sampler.seed = seed
        self._seed_clips(runner, seed)
        parameters = dict(unwrapped(runner).named_parameters())
        for name, gradient in self._left_over.items():
            if name in parameters and gradient.shape == parameters[name].shape:
                parameters[name].grad = gradient.to(parameters[name])
        if self._left_over:
            runner.logger.info('the accumulated gradients of the checkpoint are restored')
        self._left_over = {}

    def _seed_clips(self, runner: Runner, seed: int) -> None:
        loop = runner.train_loop
        loader = loop.dataloader
        iterator = getattr(loop, 'dataloader_iterator', None)
        if isinstance(loader.dataset, SeededDataset):
            return
        if iterator is not None and loader.num_workers:
            # Its workers are running already. MMEngine resumes this loop by drawing all batches
            # again, which repeats their random numbers.
            return
        replace_dataset(loader, SeededDataset(loader.dataset, seed, self._epoch))
        if iterator is not None:
            loop.dataloader_iterator = type(iterator)(loader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch in the workers, before they prepare their first batch."""
        self._epoch.fill_(runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[Dict] = None
    ) -> None:
        """Seed PyTorch on all devices."""
        state = np.random.SeedSequence([runner.seed, runner.iter]).generate_state(1)
        torch.manual_seed(int(state[0]))

    def after_train_epoch(self, runner: Runner) -> None:
        """Average accumulated gradients over the processes."""
        # Their checkpoint is written by one of them. DDP would take the mean
        # of the gradients later.
        self._agreed = None
        if get_world_size() > 1:
            gradients = _waiting_gradients(runner)
            for gradient in gradients.values():
                all_reduce(gradient, 'mean')
            self._agreed = (runner.iter, gradients)

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Save accumulated gradients."""
        if get_world_size() == 1:
            gradients = _waiting_gradients(runner)
        elif self._agreed is not None and self._agreed[0] >= runner.iter - 1:
            gradients = self._agreed[1]
        else:
            return
        if gradients:
            checkpoint[LEFT_OVER] = {name: value.cpu() for name, value in gradients.items()}


def _waiting_gradients(runner: Runner) -> Dict[str, Tensor]:
    """Return copies of the gradients that the optimizer has not used, by name."""
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, OptimWrapper) or wrapper.should_update():
        return {}
    return {
        name: parameter.grad.detach().clone()
        for name, parameter in unwrapped(runner).named_parameters()
        if parameter.grad is not None
    }
