"""Make the ``test_pipeline`` of a config, which MMAction2's APIs run, that of its test data."""

import logging
from typing import Any, Dict, Optional

from mmengine.config import Config
from mmengine.logging import print_log


class InferenceConfig:
    """Mixin of recognizers: the config that ``mmaction.apis.init_recognizer`` gives a model.

    ``inference_recognizer`` prepares a clip by ``cfg.test_pipeline``, so this is set to the
    pipeline of the test data.
    """

    @property
    def cfg(self) -> Config:
        """mmengine.Config: Missing until ``init_recognizer`` sets it."""
        return self._cfg

    @cfg.setter
    def cfg(self, cfg: Config) -> None:
        said = set_test_pipeline(cfg)
        if said:
            print_log(said, logger='current', level=logging.WARNING)
        self._cfg = cfg


def set_test_pipeline(cfg: Config) -> Optional[str]:
    """Make ``test_pipeline`` the pipeline of the test data, with the stream of the data set.

    Args:
        cfg (mmengine.Config): Changed in place, unless it has no test data.

    Returns:
        str: A sentence on the difference; None if there is none.
    """
    dataset = _first_part((cfg.get('test_dataloader') or {}).get('dataset'))
    steps = dataset.get('pipeline')
    if not steps:
        return None
    stream, given = dataset.get('stream'), cfg.get('test_pipeline')
    cfg.test_pipeline = [_with_stream(step, stream) for step in steps]
    if given is None:
        return None
    given, used = _plain([_with_stream(step, stream) for step in given]), _plain(cfg.test_pipeline)
    if given == used:
        return None
    pairs = [*zip(given, used), (f'{len(given)} steps', f'{len(used)} steps')]
    theirs, tested = next(pair for pair in pairs if pair[0] != pair[1])
    return (
        f'test_pipeline of the config differs from the pipeline of its test data, {theirs} and '
        f'{tested}: the latter is used; write the same in test_pipeline and in '
        'test_dataloader.dataset.pipeline'
    )


def _first_part(dataset: Any) -> Dict:
    """Return the first data set that others wrap."""
    while isinstance(dataset, dict) and 'pipeline' not in dataset:
        dataset = (dataset.get('datasets') or [dataset.get('dataset')])[0]
    return dataset if isinstance(dataset, dict) else {}


def _with_stream(step: Any, stream: Any) -> Any:
    """Set the stream in the transform, since a clip outside a data set does not name it."""
    if stream is None or not isinstance(step, dict) or step.get('stream') is not None:
        return step
    return dict(step, stream=stream) if step['type'] == 'SkeletonStream' else step


def _plain(value: Any) -> Any:
    """Return a step for comparison, without the scope by which MMEngine marks inherited steps."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != '_scope_'}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
