"""Choose the checkpoint from which a run resumes, and report how the config differs."""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from stf_mmaction.files import read_checkpoint
from stf_mmaction.upstream import is_resumed, loaded_path

# Counters and rates, which differ in every checkpoint.
_MOVING = {'last_step', '_global_step', '_last_value', 'base_values', 'verbose', 'last_value'}


class Choice(NamedTuple):
    """The checkpoint from which to resume.

    Attributes:
        path (Path, optional): None if there is no checkpoint.
        notes (list[str]): Sentences for the user.
    """

    path: Optional[Path]
    notes: List[str]


def check_resumable(path: Union[str, Path]) -> None:
    """Raise a ValueError unless a run can resume from a file.

    Args:
        path (str or Path): A checkpoint.

    Raises:
        ValueError: If it is damaged, or not from a training.
    """
    loaded = read_checkpoint(path)
    meta = loaded.get('meta') or {}
    numbers = all(type(meta.get(key)) is int for key in ('epoch', 'iter'))
    missing = [k for k in ('state_dict', 'optimizer', 'message_hub') if not loaded.get(k)]
    if not numbers:
        missing.append('meta with epoch and iter')
    if missing:
        raise ValueError(
            f'{path} is not a checkpoint of a training, it lacks {", ".join(missing)}: '
            'to start from its weights, use load_from in the config instead of --resume'
        )


def choose_checkpoint(work_dir: Union[str, Path], out_dir: Optional[str] = None) -> Choice:
    """Find the last intact checkpoint of a work folder.

    Args:
        work_dir (str or Path): The folder.
        out_dir (str, optional): Folder of the ``CheckpointHook``, if it is not
            the work folder. Defaults to None.

    Returns:
        Choice: The checkpoint, and notes on others that were skipped.

    Raises:
        ValueError: If there are checkpoints, but none is intact.
    """
    work_dir = Path(work_dir)
    folder = Path(out_dir) / work_dir.resolve().name if out_dir else work_dir
    notes: List[str] = []
    files = sorted(folder.glob('*.pth'), key=_order, reverse=True)
    named = _last_named(work_dir, folder, notes)
    if named is None and files:
        notes.append(f'{work_dir}/last_checkpoint names no checkpoint: the latest is taken')
    elif named is not None and named not in files:
        notes.append(f'{named}, the last checkpoint, does not exist: an earlier one is taken')
    errors = []
    for path in sorted(files, key=lambda file: file != named):
        try:
            check_resumable(path)
        except (ValueError, OSError) as error:
            errors.append(str(error))
            continue
        skipped = [f'{error}: an earlier checkpoint is taken' for error in errors]
        return Choice(path, notes + skipped)
    if errors:
        raise ValueError(
            f'none of the {len(errors)} checkpoints in {folder} can be resumed: {errors[0]}; '
            'train again without --resume, or copy a good checkpoint there'
        )
    return Choice(None, notes)


def _last_named(work_dir: Path, folder: Path, notes: List[str]) -> Optional[Path]:
    """Return the checkpoint that ``last_checkpoint`` names, in the folder itself."""
    file = work_dir / 'last_checkpoint'
    if not file.is_file():
        return None
    text = file.read_text(errors='replace').strip()
    name = Path(text).name
    if not name.endswith('.pth'):
        return None
    if Path(text).parent.resolve() != folder.resolve():
        notes.append(
            f'{file} names {text}, which is in another folder: {name} of this folder is used'
        )
    return folder / name


def _order(path: Path) -> tuple:
    """Return a key that sorts epochs and iterations by number, and the best ones last."""
    number = re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem)
    return (bool(number), int(number[1]) if number else 0, path.stat().st_mtime)


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Warn if a resumed run ignores settings of the config, or has already ended.

    MMEngine takes learning rates and schedules from the checkpoint, without a
    warning.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Dict) -> None:
        """Compare the optimizer and the schedules with those of the config."""
        if not is_resumed(runner):
            return
        _check_weights(runner, checkpoint)
        changes = _optimizer_changes(runner, checkpoint) + _schedule_changes(runner, checkpoint)
        if changes:
            runner.logger.warning(
                f'resumed with the settings of the checkpoint, not those of the config: '
                f'{"; ".join(changes)}. To train with the new ones, start again with load_from '
                'and without --resume'
            )

    def before_train(self, runner: Runner) -> None:
        """Warn if nothing is left to do."""
        loop = runner.train_loop
        by_epoch = getattr(loop, 'max_epochs', None) and runner.epoch >= loop.max_epochs
        if by_epoch or runner.iter >= loop.max_iters:
            done = f'epoch {runner.epoch} of {loop.max_epochs}'
            runner.logger.warning(
                f'the training has already ended ({done}, iteration {runner.iter}): nothing is '
                'left to do; raise max_epochs or max_iters of train_cfg to train longer'
            )


def _check_weights(runner: Runner, checkpoint: Dict) -> None:
    """Raise a ValueError if the optimizer of a checkpoint is for other weights."""
    mine, theirs = (
        [len(group['params']) for group in groups or ()] for groups in _groups(runner, checkpoint)
    )
    if mine and theirs and mine != theirs:
        raise ValueError(
            f'{loaded_path(runner)} is from a training of {sum(theirs)} weights in {len(theirs)} '
            f'groups, but the config trains {sum(mine)} in {len(mine)}, so it cannot be resumed: '
            'to start from its weights, use load_from in the config and no --resume'
        )


def _groups(runner: Runner, checkpoint: Dict) -> Tuple[Optional[List], Optional[List]]:
    """Return the groups of weights of the optimizers of a config and a checkpoint."""
    own = getattr(getattr(runner.optim_wrapper, 'optimizer', None), 'param_groups', None)
    return own, (checkpoint.get('optimizer') or {}).get('param_groups')


def _optimizer_changes(runner: Runner, checkpoint: Dict) -> List[str]:
    own, saved = _groups(runner, checkpoint)
    if not own or not saved:
        return []
    changes = {}
    for mine, theirs in zip(own, saved):
        for key in mine.keys() & theirs.keys() - {'params', 'lr'}:
            if _plain(mine[key]) != _plain(theirs[key]):
                name = 'lr' if key == 'initial_lr' else key
                changes.setdefault(name, f'{name}={theirs[key]}, not {mine[key]}')
    return sorted(changes.values())


def _plain(value):
    """Convert lists to tuples, since a checkpoint may turn one into the other."""
    return list(value) if isinstance(value, (list, tuple)) else value


def _schedule_changes(runner: Runner, checkpoint: Dict) -> List[str]:
    own, saved = runner.param_schedulers, checkpoint.get('param_schedulers')
    if not isinstance(own, list) or not isinstance(saved, list):
        return []
    if len(own) != len(saved):
        return [f'{len(saved)} schedules, not {len(own)}']
    changes = []
    for number, (mine, theirs) in enumerate(zip(own, saved)):
        state = mine.state_dict()
        for key in sorted(state.keys() & theirs.keys() - _MOVING):
            if state[key] != theirs[key]:
                before, now = (_short(value) for value in (theirs[key], state[key]))
                changes.append(f'{key}={before}, not {now}, of schedule {number}')
    return changes


def _short(value) -> str:
    return str(sorted(value)) if isinstance(value, dict) else str(value)
