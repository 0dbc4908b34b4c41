"""Names of classes go from the data to the checkpoint and from there everywhere."""

import pickle
import runpy
import shutil
import sys

import numpy as np
import pytest
from helpers import ROOT, tiny
from mmaction.registry import DATASETS

from stf_mmaction import STFInferencer
from stf_mmaction.datasets import safe_load
from stf_mmaction.engine.dumps import Scores, check, names_of
from stf_mmaction.engine.inference import class_names_of, focus_of_clip, load_model
from stf_mmaction.files import read_checkpoint


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A config and a checkpoint of data that names its classes."""
    folder = tmp_path_factory.mktemp('named')
    data = tiny.write(folder / 'clips.pkl', tiny.clips(), classes=list(tiny.NAMES))
    cfg = tiny.config(data, folder, tiny.model_cfg('focus'))
    tiny.train(cfg)
    # The same clips without names, as data that came from elsewhere.
    bare = tiny.write(folder / 'bare.pkl', tiny.clips())
    cfg.test_dataloader.dataset.ann_file = str(bare)
    cfg.dump(folder / 'config.py')
    return cfg, folder / 'epoch_1.pth'


def test_the_checkpoint_and_the_inferencer_know_them(trained):
    cfg, checkpoint = trained
    meta = read_checkpoint(checkpoint)['meta']
    assert tuple(meta['dataset_meta']['classes']) == tiny.NAMES
    inferencer = STFInferencer(cfg, str(checkpoint))
    result = inferencer(tiny.clips()[0]['keypoint'])
    assert result['class_name'] == tiny.NAMES[result['pred_label']]
    other = STFInferencer(cfg, str(checkpoint), class_names=['a', 'b', 'c'])
    assert other.class_names == ('a', 'b', 'c')
    with pytest.raises(ValueError, match='2 class names for a network of 3'):
        STFInferencer(cfg, str(checkpoint), class_names=['a', 'b'])


def test_titles_of_pictures(trained):
    cfg, checkpoint = trained
    _, model = load_model(cfg, str(checkpoint))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    clip = focus_of_clip(model, dataset, 0)
    assert tiny.NAMES[tiny.clips()[4]['label']] in clip.title
    # Names of the data come first, those of another number are passed over.
    own = DATASETS.build(dict(cfg.test_dataloader.dataset, metainfo=dict(classes=['x', 'y', 'z'])))
    assert class_names_of(model, own) == ['x', 'y', 'z']
    own = DATASETS.build(dict(cfg.test_dataloader.dataset, metainfo=dict(classes=list('wxyz'))))
    assert class_names_of(model, own) == list(tiny.NAMES)
    model.dataset_meta = {}
    assert class_names_of(model, dataset) == ['class 0', 'class 1', 'class 2']


def test_tables(trained, tmp_path, monkeypatch):
    cfg, checkpoint = trained
    cfg = tiny.Config(cfg.to_dict())
    # Data that names a class too many does not hide those of the checkpoint.
    cfg.test_dataloader.dataset.metainfo = dict(classes=[*tiny.NAMES, 'none'])
    dump = tmp_path / 'scores.pkl'
    cfg.test_evaluator.append(dict(type='DumpScores', out_file_path=str(dump)))
    tiny.evaluate(cfg, checkpoint)
    assert all(tuple(sample['classes']) == tiny.NAMES for sample in safe_load(dump))
    table = tmp_path / 'classes.csv'
    arguments = ['fuse_scores.py', str(dump), '--per-class', str(table)]
    monkeypatch.setattr(sys, 'argv', arguments)
    runpy.run_path(str(ROOT / 'tools/fuse_scores.py'), run_name='__main__')
    heading, *rows = [line.split(',') for line in table.read_text().splitlines()]
    assert heading == ['class', 'clips', 'top1', 'taken_for', 'name', 'taken_for_name']
    for row in rows:
        assert row[4] == tiny.NAMES[int(row[0])]
        assert row[5] == (tiny.NAMES[int(row[3])] if row[3] else '')


def test_dumps_of_other_classes():
    scores = Scores(clip=(np.array([0.4, 0.6]), 1))
    other = Scores(scores)
    check(scores, other, 'b.pkl')
    scores.names, other.names = ('sit down', 'wave'), ('Sit_Down', 'wave')
    check(scores, other, 'b.pkl')
    assert names_of([Scores(), other, scores]) == other.names
    other.names = ('wave', 'sit down')
    with pytest.raises(ValueError, match="b.pkl names class 0 'wave', the first dump 'sit down'"):
        check(scores, other, 'b.pkl')


def test_names_in_the_config(trained, tmp_path):
    cfg, _ = trained
    path = tmp_path / 'names.txt'
    path.write_text('\n'.join(tiny.NAMES), encoding='utf-8')
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, metainfo=dict(classes=str(path))))
    assert dataset.metainfo['classes'] == tiny.NAMES


def test_labels_may_be_names(trained, tmp_path):
    cfg, _ = trained
    annotations = tiny.clips()
    for clip in annotations:
        clip['label'] = tiny.NAMES[clip['label']]
    data = tiny.write(tmp_path / 'text.pkl', annotations, classes=tiny.NAMES)
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, ann_file=str(data)))
    assert [clip['label'] for clip in map(dataset.get_data_info, range(4))] == [1, 2, 0, 1]
    for names, match in (
        (tiny.NAMES[:2], 'whole number'),  # 'stand up' is none of them
        ('wave', "class names are 'wave'"),
    ):
        content = safe_load(data)
        content['classes'] = names
        shutil.copy(data, tmp_path / 'bad.pkl')
        (tmp_path / 'bad.pkl').write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=match):
            DATASETS.build(dict(cfg.test_dataloader.dataset, ann_file=str(tmp_path / 'bad.pkl')))
