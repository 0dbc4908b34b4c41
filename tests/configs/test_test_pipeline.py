"""What MMAction2's APIs read, ``test_pipeline``, is what the test runs."""

import pytest
from helpers.zoo_configs import CONFIGS, load


def without_scope(value):
    """The same without the marks of a config that was inherited from MMAction2."""
    if isinstance(value, dict):
        return {key: without_scope(item) for key, item in value.items() if key != '_scope_'}
    return [without_scope(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize('name', sorted(CONFIGS))
def test_every_config_names_the_pipeline_of_its_test(name):
    cfg = load(name)
    dataset = cfg.test_dataloader.dataset
    assert without_scope(cfg.test_pipeline) == without_scope(dataset.pipeline)
    # Without the data set the transform has to say which stream it computes.
    steps = {step['type']: step for step in cfg.test_pipeline}
    stream = dataset.get('stream', 'j')
    assert steps.get('SkeletonStream', {}).get('stream', 'j') == stream
    if dataset.type == 'SkeletonDataset':
        assert cfg.test_pipeline[0] == dict(
            type='SelectPersons', num_person=steps['FormatGCNInput']['num_person']
        )
