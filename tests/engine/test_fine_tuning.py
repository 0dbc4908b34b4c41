"""load_from, --resume and tests of whole runs: what is taken and what is refused."""

import pytest
from helpers import tiny

from stf_mmaction import STFInferencer
from stf_mmaction.files import read_checkpoint


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('three')
    data = tiny.write(folder / 'clips.pkl', tiny.clips(), classes=list(tiny.NAMES))
    cfg = tiny.config(data, folder, tiny.model_cfg('focus'))
    tiny.train(cfg)
    return cfg, data, folder / 'epoch_1.pth'


def test_a_training_takes_a_new_head_and_says_so(trained, tmp_path):
    _, _, checkpoint = trained
    data = tiny.write(tmp_path / 'two.pkl', tiny.clips(classes=2))
    cfg = tiny.config(data, tmp_path / 'run', tiny.model_cfg('ensemble', classes=2))
    cfg.load_from = str(checkpoint)
    cfg.optim_wrapper.optimizer.lr = 0.0
    runner = tiny.train(cfg)
    (log,) = (tmp_path / 'run').glob('*/*.log')
    assert 'has 3 classes, the network 2 classes: 4 weights are new, members.focus' in (
        log.read_text()
    )
    old = read_checkpoint(checkpoint)['state_dict']
    for member in runner.model.members.values():
        for name, value in member.named_parameters():
            if 'cls_head' not in name:
                assert value.equal(old[name]), name
    with pytest.raises(ValueError, match='it is for 3 classes, the config for 2'):
        tiny.evaluate(cfg, checkpoint)
    cfg.resume = True
    cfg.experiment_name += '_resume'
    with pytest.raises(ValueError, match='it is for 3 classes, the config for 2'):
        tiny.train(cfg)


def test_another_stream_is_refused_where_it_is_tested(trained, tmp_path):
    cfg, data, checkpoint = trained
    bones = tiny.config(data, tmp_path, tiny.model_cfg('focus'), stream='b')
    match = "epoch_1.pth was trained on the stream 'j', the config gives it 'b'"
    with pytest.raises(ValueError, match=match):
        tiny.evaluate(bones, checkpoint)
    with pytest.raises(ValueError, match=match):
        STFInferencer(bones, str(checkpoint))
    assert 'acc/top1' in tiny.evaluate(cfg, checkpoint)


def test_other_classes_are_refused_where_they_are_tested(trained, tmp_path):
    cfg, _, checkpoint = trained
    data = tiny.write(tmp_path / 'renamed.pkl', tiny.clips(), classes=['kick', 'wave', 'sit'])
    other = tiny.config(data, tmp_path, tiny.model_cfg('focus'))
    with pytest.raises(ValueError, match="class 0 is 'wave' in .*epoch_1.pth and 'kick' in the"):
        tiny.evaluate(other, checkpoint)
