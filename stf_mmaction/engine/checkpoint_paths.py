"""Restrict the file names in a checkpoint to its own folder."""

from pathlib import Path
from typing import Dict

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner


def confine_paths(runner: Runner, checkpoint: Dict) -> None:
    """Restrict the files that a checkpoint names to the work folder.

    When there is a better checkpoint, MMEngine's ``CheckpointHook`` deletes
    the best one so far, by the path in the resumed checkpoint. In a checkpoint
    from elsewhere, or in a copied work folder, that may be any file.

    Args:
        runner (Runner): Its ``CheckpointHook`` defines the folder.
        checkpoint (dict): Its message hub is changed in place.
    """
    info = (checkpoint.get('message_hub') or {}).get('runtime_info')
    if not isinstance(info, dict):
        return
    folder = Path(runner.work_dir)
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.out_dir:
            folder = Path(hook.out_dir) / folder.name
    for key in [key for key in info if str(key).startswith(('best_ckpt', 'last_ckpt'))]:
        name = Path(str(info[key])).name
        if name.endswith('.pth'):
            info[key] = str(folder / name)
        else:
            del info[key]
    kept = info.get('keep_ckpt_ids')
    if kept is not None:
        info['keep_ckpt_ids'] = [step for step in kept if type(step) is int]
