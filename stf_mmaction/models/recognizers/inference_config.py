"""The ``test_pipeline`` of a config, which MMAction2's APIs run, and that of its test data."""

import logging
from typing import Any, Dict, Optional

from mmengine.config import Config
from mmengine.logging import print_log


class InferenceConfig:
    """Mixin of recognizers: the config that ``mmaction.apis.init_recognizer`` gives a model.

    ``inference_recognizer`` prepares a clip by ``cfg.test_pipeline``, so that it is made the
    pipeline of the test data.
    """

    @property
    def cfg(self) -> Config:
        """mmengine.Config: There is none before ``init_recognizer`` sets it."""
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
        cfg (mmengine.Config): Is changed, unless it has no test data.

    Returns:
        str: What was different, in a sentence; None if nothing was.
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
        f'test_pipeline of the config is not the pipeline of its test data, {theirs} and not '
        f'{tested}: the latter is used; write test_pipeline and the pipeline of '
        'test_dataloader.dataset alike'
    )


def _first_part(dataset: Any) -> Dict:
    """Return the first data set that others wrap."""
    while isinstance(dataset, dict) and 'pipeline' not in dataset:
        dataset = (dataset.get('datasets') or [dataset.get('dataset')])[0]
    return dataset if isinstance(dataset, dict) else {}


def _with_stream(step: Any, stream: Any) -> Any:
    """Let the transform say which stream it computes: a clip does not tell outside a data set."""
    if stream is None or not isinstance(step, dict) or step.get('stream') is not None:
        return step
    return dict(step, stream=stream) if step['type'] == 'SkeletonStream' else step


def _plain(value: Any) -> Any:
    """Return what matters to compare: MMEngine marks steps of an inherited scope."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != '_scope_'}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
