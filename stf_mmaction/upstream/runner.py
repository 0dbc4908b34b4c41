"""What MMEngine and PyTorch keep private, and this package needs to read or replace."""


def built_loop(runner, phase: str):
    """Return a loop of a Runner, or None if the config has none or it is not built yet.

    The Runner's properties of these names would build it.

    Args:
        runner (mmengine.runner.Runner): The runner.
        phase (str): ``'train'``, ``'val'`` or ``'test'``.
    """
    from mmengine.runner import BaseLoop

    loop = getattr(runner, f'_{phase}_loop')
    return loop if isinstance(loop, BaseLoop) else None


def dataset_of_loader(runner, phase: str):
    """Return a data set of a Runner, or its config if it is not built; None without a loader.

    Args:
        runner (mmengine.runner.Runner): The runner.
        phase (str): ``'train'``, ``'val'`` or ``'test'``.
    """
    loader = getattr(runner, f'_{phase}_dataloader')
    return loader.get('dataset') if isinstance(loader, dict) else getattr(loader, 'dataset', None)


def is_resumed(runner) -> bool:
    """Return whether a Runner resumes a training from a checkpoint."""
    return runner._resume


def loaded_path(runner) -> str:
    """Return the checkpoint that a Runner loads, as a config names it."""
    return str(runner._load_from or 'the checkpoint')


def seeds_differ(runner) -> bool:
    """Return whether each process of a Runner has its own seed."""
    return runner._randomness_cfg.get('diff_rank_seed', False)


def replace_dataset(loader, dataset) -> None:
    """Replace the data set of a DataLoader by one of the same length and order.

    DataLoader refuses a plain assignment, since its sampler would not change.

    Args:
        loader (torch.utils.data.DataLoader): Changed in place.
        dataset (torch.utils.data.Dataset): The new one.
    """
    loader.__dict__['dataset'] = dataset


def check_sliced(loader, name: str) -> None:
    """Raise a ValueError if ``num_batch_per_epoch`` requires more clips than there are.

    MMEngine would raise an IndexError during the epoch.

    Args:
        loader (torch.utils.data.DataLoader): The loader.
        name (str): Named in the error.
    """
    parts = vars(loader.dataset)
    inner = vars(parts.get('dataset', loader.dataset)).get('_dataset')  # within SeededDataset
    if inner is not None and len(loader.dataset) > len(inner):
        raise ValueError(
            f'num_batch_per_epoch of {name} needs {len(loader.dataset)} clips, the data set has '
            f'{len(inner)}: use a smaller one, or a RepeatDataset'
        )


def inner_index(dataset, index: int):
    """Return the index with which one of MMEngine's wrappers finds a clip.

    Args:
        dataset (ConcatDataset, RepeatDataset or ClassBalancedDataset): The wrapper.
        index (int): Index of the clip.

    Returns:
        int or tuple[int]: The index; for a ``ConcatDataset`` the data set and the index in it.
    """
    return dataset._get_ori_dataset_idx(index)
