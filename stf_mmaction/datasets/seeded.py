"""A data set whose random numbers depend on the clip and not on the process."""

import random
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

_OWN = ('dataset', 'seed', 'epoch', 'draws', 'seen_epoch')


class SeededDataset:
    """Draw the random numbers of a clip from the seed, the epoch and its index.

    So a run that resumes, with any number of workers, persistent or not, gets
    the same clips as an uninterrupted one. Everything else is delegated to the
    data set.

    Args:
        dataset (Dataset): Any with ``__getitem__`` and ``__len__``.
        seed (int): Seed of the run.
        epoch (torch.Tensor): Shape (), in shared memory, so that persistent
            workers read it, too.
    """

    def __init__(self, dataset: Any, seed: int, epoch: Tensor) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = epoch
        # Later draws of a clip in an epoch differ from the first.
        self.draws: Counter = Counter()
        self.seen_epoch = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        epoch = int(self.epoch)
        if epoch != self.seen_epoch:
            self.draws.clear()
            self.seen_epoch = epoch
        key = [self.seed, epoch, int(index), self.draws[index]]
        self.draws[index] += 1
        # The main process uses its generators for other purposes.
        state = None if get_worker_info() else _get_states()
        seed_generators(key)
        try:
            return self.dataset[index]
        finally:
            if state is not None:
                _set_states(state)

    def __getattr__(self, name: str) -> Any:
        # copy and pickle look up names before there is a dataset; DataLoader looks up
        # __getitems__, which would bypass __getitem__.
        if name.startswith('__') or name in _OWN:
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.dataset, name, value)


def seed_generators(key) -> None:
    """Seed Python, NumPy and PyTorch's CPU generator from integers.

    Args:
        key (Sequence[int]): Integers of at least 0.
    """
    first, second = np.random.SeedSequence(key).generate_state(2)
    random.seed(int(first))
    np.random.seed(int(first))
    # torch.manual_seed would queue a call for CUDA in every worker.
    torch.default_generator.manual_seed(int(second))


def _get_states() -> tuple:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set_states(states: tuple) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
