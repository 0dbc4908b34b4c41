"""Save checkpoints so that one is complete at any time."""

from typing import Any, Callable, Dict, List

from mmaction.registry import HOOKS
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner


class _RemoveLater:
    """A file backend that defers removing files."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._later: List[Callable] = []

    def remove(self, path: str) -> None:
        self._later.append(lambda: self._backend.remove(path))

    def rmtree(self, path: str) -> None:
        self._later.append(lambda: self._backend.rmtree(path))

    def remove_now(self) -> None:
        while self._later:
            self._later.pop(0)()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


@HOOKS.register_module(name='CheckpointHook')
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which removes old files after it has written new ones.

    MMEngine removes them first, so with ``max_keep_ckpts=1``, a run that is killed while
    saving has no checkpoint left.
    """

    def before_train(self, runner: Runner) -> None:
        """Choose the folder and the backend."""
        super().before_train(runner)
        self.file_backend = _RemoveLater(self.file_backend)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: Dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self.file_backend.remove_now()
