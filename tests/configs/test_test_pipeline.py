"""What MMAction2's APIs read, ``test_pipeline``, is what the test runs."""

import pytest
from helpers import ROOT, tiny
from helpers.zoo_configs import PATHS, load
from mmengine.config import Config

from stf_mmaction.models.recognizers.inference_config import set_test_pipeline

# Not in the tables: recipes for small data, and configs to copy.
OTHERS = {f'{p.parent.name}/{p.stem}': p for p in ROOT.glob('configs/[sc]*/*.py')}


def without_scope(value):
    """The same without the marks of a config that was inherited from MMAction2."""
    if isinstance(value, dict):
        return {key: without_scope(item) for key, item in value.items() if key != '_scope_'}
    return [without_scope(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize('name', sorted(PATHS | OTHERS))
def test_every_config_names_the_pipeline_of_its_test(name):
    cfg = load(name) if name in PATHS else Config.fromfile(OTHERS[name])
    dataset = cfg.test_dataloader.dataset
    assert without_scope(cfg.test_pipeline) == without_scope(dataset.pipeline)
    # Without the data set the transform has to say which stream it computes.
    steps = {step['type']: step for step in cfg.test_pipeline}
    stream = dataset.get('stream', 'j')
    assert steps.get('SkeletonStream', {}).get('stream', 'j') == stream
    if dataset.type == 'SkeletonDataset' and name in PATHS:
        assert cfg.test_pipeline[0] == dict(
            type='SelectPersons', num_person=steps['FormatGCNInput']['num_person']
        )


def test_others_are_found():
    assert {name.split('/')[0] for name in OTHERS} == {'small_data', 'complete'}


def test_a_config_that_changes_one_of_the_two(tmp_path):
    """Only the pipeline of the test data, only its stream, neither, or none at all."""

    def said(wrap=dict, **options):
        cfg = tiny.config('clips.pkl', tmp_path, tiny.model_cfg())
        cfg.test_pipeline = tiny.pipeline()
        cfg.test_dataloader.dataset = wrap(dict(cfg.test_dataloader.dataset, **options))
        before = cfg.test_dataloader.to_dict()
        sentence = set_test_pipeline(cfg)
        assert cfg.test_dataloader == before
        return sentence, {step['type']: step for step in cfg.test_pipeline}

    sentence, steps = said(pipeline=tiny.pipeline(frames=64))
    assert "{'type': 'PadTo', 'length': 8} and {'type': 'PadTo', 'length': 64}:" in sentence
    assert steps['PadTo']['length'] == 64
    sentence, steps = said(pipeline=tiny.pipeline()[1:])
    assert "'PrepareSkeleton'" in sentence and 'PrepareSkeleton' not in steps
    sentence, steps = said(pipeline=tiny.pipeline()[:-1])
    assert '6 steps and 5 steps' in sentence and 'PackActionInputs' not in steps
    sentence, steps = said(stream=('j', 'b'))
    assert sentence is None and tuple(steps['SkeletonStream']['stream']) == ('j', 'b')
    sentence, steps = said(
        lambda d: dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[d, d])),
        pipeline=tiny.pipeline(frames=16),
    )
    assert sentence and steps['PadTo']['length'] == 16
    assert set_test_pipeline(Config(dict(model={}))) is None
