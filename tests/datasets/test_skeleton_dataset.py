"""Files that are read, and files that are refused."""

import copy
import os
import pickle

import numpy as np
import pytest
import torch
from helpers.networks import STAR
from mmaction.datasets.transforms import PadTo
from mmaction.registry import DATASETS
from mmengine.dataset import ClassBalancedDataset

from stf_mmaction.datasets import safe_load


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    clips = [
        dict(
            frame_dir=f'clip{i}',
            label=i % 3,
            total_frames=4 + i,
            keypoint=rng.normal(size=(1, 4 + i, 5, 3)).astype(np.float16),
        )
        for i in range(6)
    ]
    names = [clip['frame_dir'] for clip in clips]
    return dict(split=dict(train=names[:4], val=names[4:], none=['other']), annotations=clips)


PIPELINE = [
    dict(type='PrepareSkeleton', layout=STAR),
    dict(type='SkeletonStream', layout=STAR),
    dict(type='PadTo', length=12),
]


def build(data, tmp_path, split='train', **kwargs):
    path = tmp_path / 'clips.pkl'
    path.write_bytes(pickle.dumps(data))
    return DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=str(path),
            split=split,
            pipeline=kwargs.pop('pipeline', PIPELINE),
            **kwargs,
        )
    )


def test_clips_of_a_split(data, tmp_path):
    before = copy.deepcopy(data)
    train = build(data, tmp_path, stream='b')
    assert len(train) == 4 and train.max_label == 2
    assert train[1]['keypoint'].shape == (1, 12, 5, 4)
    assert (train[1]['keypoint'][:, :, 0, :3] == 0).all()  # the root bone
    again = train[1]['keypoint']
    assert (train[1]['keypoint'] == again).all()
    assert len(build(data, tmp_path, split=None)) == 6
    assert len(build(data, tmp_path, 'val', test_mode=True)) == 2
    for old, new in zip(before['annotations'], data['annotations']):
        assert (old['keypoint'] == new['keypoint']).all()


FLIP = dict(type='Flip', flip_ratio=1, left_kp=[3], right_kp=[4])


def test_mmaction2s_flip_where_there_are_no_pixels(data, tmp_path):
    mend = 'moves x to width - x.*RandomSkeletonMirror'
    with pytest.raises(ValueError, match=f'Flip after PrepareSkeleton in the pipeline: .*{mend}'):
        build(data, tmp_path, pipeline=[*PIPELINE, FLIP])
    with pytest.raises(ValueError, match=f'4 of 4 clips have three coordinates or no .*{mend}'):
        build(data, tmp_path, pipeline=[FLIP, *PIPELINE])
    for clip in data['annotations']:
        clip.update(keypoint=clip['keypoint'][..., :2] + 40, img_shape=(48, 64), modality='Pose')
    raw = data['annotations'][1]['keypoint'][..., [0, 1, 2, 4, 3], 0]
    flipped = build(data, tmp_path, pipeline=[FLIP])[1]['keypoint'][..., 0]
    np.testing.assert_allclose(flipped, 64 - raw, rtol=1e-2)


def spoil(key, value):

    def change(data):
        clip = data['annotations'][2]
        clip[key] = value(clip[key])

    return change


@pytest.mark.parametrize(
    'change,match',
    [
        (spoil('keypoint', lambda k: k * np.nan), '1 of 4 clips .*NaN.*clip2'),
        (spoil('keypoint', lambda k: k * np.inf), 'NaN or infinite'),
        (spoil('keypoint', lambda k: k[:, :0]), 'no frame'),
        (spoil('keypoint', lambda k: k * 0), 'only zeros'),
        (spoil('keypoint', lambda k: k[:, :, :4]), 'than the 5 of the layout'),
        (spoil('keypoint', lambda k: k[0]), 'not .persons, frames'),
        (spoil('keypoint', lambda k: k[..., :1]), 'not .persons, frames'),
        (
            lambda data: data['annotations'][2].update(
                keypoint=np.ones((1, 18, 5, 3)), total_frames=18
            ),
            '12 of PadTo',
        ),
        (spoil('total_frames', lambda t: t + 1), 'total_frames'),
        (spoil('label', lambda y: -1), 'whole number'),
        (spoil('label', lambda y: 0.5), 'whole number'),
        (lambda data: data['annotations'][2].pop('label'), "no 'label'"),
        (spoil('keypoint', lambda k: k.tolist()), 'missing or not .persons'),
        (lambda data: data['annotations'][2].pop('keypoint'), 'missing or not'),
        (
            lambda data: data['annotations'][2].update(keypoint_score=np.ones((1, 6, 4))),
            'keypoint_score .*clip2',
        ),
        (
            lambda data: data['annotations'][2].update(keypoint_score=np.full((1, 6, 5), np.nan)),
            'keypoint_score .*clip2',
        ),
        (lambda data: data.update(annotations=['clip']), 'a list of dicts'),
        (lambda data: data.update(annotations=[]), 'holds no clip'),
        (lambda data: data.pop('split'), "no split 'train'"),
        (lambda data: data.pop('annotations'), 'holds no annotations'),
    ],
)
def test_bad_clips_are_named_before_training(data, tmp_path, change, match):
    change(data)
    with pytest.raises(ValueError, match=match):
        build(data, tmp_path)


@pytest.mark.parametrize(
    'empty', [dict(zero=True), dict(frames=0), dict(score=0)], ids=['zeros', 'no frame', 'unseen']
)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_few_clips_that_show_nobody_are_left_out_and_named(tmp_path, monkeypatch, empty, split):
    """One clip of Penn Action shows no joint: its 1,257 others can be used."""
    said = []
    monkeypatch.setattr(
        'stf_mmaction.datasets.skeleton_dataset.print_log', lambda text, **_: said.append(text)
    )
    clips = []
    for i in range(40):
        keypoint = np.ones((1, empty.get('frames', 4) if i == 7 else 4, 5, 3))
        score = np.ones(keypoint.shape[:3])
        if i == 7:
            keypoint, score = keypoint * (not empty.get('zero')), score * empty.get('score', 1)
        clips.append(dict(frame_dir=f'c{i}', label=0, keypoint=keypoint, keypoint_score=score))
    names = [clip['frame_dir'] for clip in clips]
    data = dict(annotations=clips, split={split: names})
    kept = build(data, tmp_path, split)
    assert [kept.get_data_info(i)['frame_dir'] for i in range(39)] == names[:7] + names[8:]
    assert len(said) == 1 and '1 of 40 clips show no joint and are left out: c7' in said[0]
    assert kept.clip_ids == set(names) - {'c7'}
    # More than a few are no accident, but a fault of the file.
    clips[9].update(keypoint=np.zeros((1, 4, 5, 3)))
    clips[11].update(keypoint=np.zeros((1, 4, 5, 3)))
    with pytest.raises(
        ValueError, match=r'3 of 40 clips|2 of 40 clips|1 of 40 clips have no frame'
    ):
        build(data, tmp_path, split)


@pytest.mark.parametrize('kind', ['mmaction.PadTo', PadTo])
def test_checks_know_a_transform_by_scope_and_class(data, tmp_path, kind):
    with pytest.raises(ValueError, match='more frames than the 5 of PadTo'):
        build(data, tmp_path, pipeline=[dict(type=kind, length=5)])


def test_without_a_layout_all_clips_agree(data, tmp_path):
    assert build(data, tmp_path).num_joints == 5
    assert build(data, tmp_path, pipeline=[]).num_joints == 5
    spoil('keypoint', lambda k: k[:, :, :4])(data)
    with pytest.raises(ValueError, match='the 5 of the first clip'):
        build(data, tmp_path, pipeline=[])


def test_what_posedataset_can_do_still_works(data, tmp_path):
    assert len(build(data, tmp_path, indices=2, serialize_data=False)) == 2
    for i, clip in enumerate(data['annotations']):
        clip.update(
            filename=clip['frame_dir'],
            frame_dir='elsewhere',
            label=[0, i],
            valid={0.5: i},
            box_score=np.ones(i),
        )
    train = build(data, tmp_path, multi_class=True, num_classes=4, valid_ratio=0.3, pipeline=[])
    assert [clip['filename'] for clip in train] == ['clip2', 'clip3']
    assert train.max_label == 3
    assert train[1]['label'].tolist() == [1, 0, 0, 1]


def test_one_file_for_each_clip(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for clip in data['annotations']:
        content = dict(keypoint=clip.pop('keypoint'))
        (tmp_path / f"{clip['frame_dir']}.pkl").write_bytes(pickle.dumps(content))
    train = build(data, tmp_path, data_prefix=dict(skeleton=str(tmp_path)))
    assert train[1]['keypoint'].shape == (1, 12, 5, 4)
    (tmp_path / 'clip1.pkl').write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ValueError, match='clip1.pkl .*system, which arrays'):
        train[1]
    assert not (tmp_path / 'attacked').exists()


def test_splits_and_streams(data, tmp_path):
    with pytest.raises(ValueError, match="no split 'test'.*'train', 'val'"):
        build(data, tmp_path, 'test')
    with pytest.raises(ValueError, match="no clip of split 'none'"):
        build(data, tmp_path, 'none')
    with pytest.raises(ValueError, match="stream 'x' is unknown"):
        build(data, tmp_path, stream='x')


class Attack:
    def __reduce__(self):
        # Into the working directory, which is that of the test.
        return os.system, ('touch attacked',)


@pytest.mark.parametrize(
    'content,match',
    [
        (b'', 'is empty'),
        (pickle.dumps([1, 2, 3])[:-3], 'damaged'),
        (b'no pickle at all', 'damaged'),
        (pickle.dumps(dict(a=Attack())), 'system, which arrays'),
    ],
)
def test_bad_files(tmp_path, monkeypatch, content, match):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'bad.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as error:
        safe_load(path)
    assert str(path) in str(error.value)
    assert not (tmp_path / 'attacked').exists()
    with pytest.raises(FileNotFoundError, match='does not exist'):
        safe_load(tmp_path / 'missing.pkl')


@pytest.mark.parametrize(
    'protocol,core', [(2, b'numpy.core.'), (2, b'numpy._core.'), (4, b''), (5, b'')]
)
def test_arrays_of_numpy_1_and_2(tmp_path, protocol, core):
    array = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float16)
    content = pickle.dumps([array, array[0, 0]], protocol)
    if core:  # A line of text in protocol 2, so that it may change length.
        for name in (b'numpy.core.', b'numpy._core.'):
            content = content.replace(name, core)
        assert core in content
    path = tmp_path / 'arrays.pkl'
    path.write_bytes(content)
    read, scalar = safe_load(path)
    assert (read == array).all() and read.dtype == np.float16
    assert scalar == array[0, 0] and type(read) is np.ndarray
    read += 1  # may be written to


@pytest.mark.parametrize(
    'value',
    [
        np.arange(6).reshape(2, 3).T,
        np.zeros((0, 3)),
        np.array(3.0),
        np.array([1, 2], '>i4'),
        np.array(['a', 'bc']),
        np.array([True]),
        np.float32(2),
        np.str_('abc'),
        np.asfortranarray(np.eye(3)[:2]),
    ],
)
@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_arrays_of_all_kinds(tmp_path, value, protocol):
    path = tmp_path / 'array.pkl'
    path.write_bytes(pickle.dumps(dict(a=[(value, value)]), protocol))
    for read in safe_load(path)['a'][0]:
        assert type(read) is type(value) and read.dtype == value.dtype
        np.testing.assert_array_equal(read, value)


def test_an_array_of_objects_is_refused(tmp_path):
    path = tmp_path / 'objects.pkl'
    path.write_bytes(pickle.dumps(np.array([None, 'x'], dtype=object)))
    with pytest.raises(ValueError, match="array of 'O8', not of numbers"):
        safe_load(path)


def test_no_damage_leaves_the_error_or_the_process(tmp_path):
    """Whatever bytes are wrong: a ValueError, and NumPy is as it was."""
    rng = np.random.default_rng(0)
    good = pickle.dumps(dict(a=np.float32([1, 2]), b=np.int64(3), c=['x']))
    path = tmp_path / 'bad.pkl'
    refused = 0
    before = np.dtype('f4').__reduce__()
    for _ in range(400):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] = rng.integers(32, 127)
        path.write_bytes(bad)
        try:
            safe_load(path)
        except ValueError:
            refused += 1
    assert refused > 100
    assert np.dtype('f4').__reduce__() == before


def test_a_file_cannot_change_a_dtype_of_the_process(tmp_path):
    # numpy.dtype('f4', False, copy=False), then a state for it.
    content = (
        b'\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x89\x87R'
        b'(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.'
    )
    path = tmp_path / 'dtype.pkl'
    path.write_bytes(content)
    assert safe_load(path) == np.dtype('>f4')
    assert np.dtype('f4').byteorder == '='


def test_dumped_scores_can_be_read(tmp_path):
    scores = [dict(pred_score=torch.rand(3), frame_dir='a', n=np.int64(3))]
    path = tmp_path / 'scores.pkl'
    path.write_bytes(pickle.dumps(scores))
    read = safe_load(path)
    assert read[0]['pred_score'].equal(scores[0]['pred_score'])
    assert read[0]['n'] == 3


def test_a_fraction_is_the_same_everywhere(data, tmp_path):
    data['split']['train'] = data['split']['train'] + data['split']['val']
    some = build(data, tmp_path, fraction=0.5)
    names = {some.get_data_info(i)['frame_dir'] for i in range(len(some))}
    assert len(some) == 3
    data['annotations'].reverse()  # another order of the file
    again = build(data, tmp_path, fraction=0.5)
    assert names == {again.get_data_info(i)['frame_dir'] for i in range(3)}
    # By NumPy's legacy generator, whose numbers never change.
    clips = sorted(data['split']['train'])
    assert names == {clips[i] for i in np.random.RandomState(0).permutation(6)[:3]}
    for fraction in (0, -1, 1.5):
        with pytest.raises(ValueError, match='fraction='):
            build(data, tmp_path, fraction=fraction)


def test_several_streams_lie_side_by_side(data, tmp_path):
    both = build(data, tmp_path, stream=('j', 'b'))[1]['keypoint']
    for part, stream in enumerate(('j', 'b')):
        own = build(data, tmp_path, stream=stream)[1]['keypoint']
        np.testing.assert_array_equal(both[..., 4 * part : 4 * part + 4], own)
    with pytest.raises(ValueError, match="stream \\('j', 'x'\\) is unknown"):
        build(data, tmp_path, stream=('j', 'x'))


def test_rare_classes_are_repeated(data, tmp_path):
    """MMEngine's ClassBalancedDataset asks for the classes of each clip."""
    data['annotations'][3]['label'] = 0  # now two clips of class 0, one each of 1 and 2
    train = build(data, tmp_path)
    assert [train.get_cat_ids(i) for i in range(4)] == [[0], [1], [2], [0]]
    balanced = ClassBalancedDataset(train, oversample_thr=1.0)
    # sqrt(1 / (2 / 4)) and sqrt(1 / (1 / 4)) times, rounded up
    labels = [balanced.get_data_info(i)['label'] for i in range(len(balanced))]
    assert labels == [0, 0, 1, 1, 2, 2, 0, 0]


def test_classes_of_a_clip_with_several_labels(data, tmp_path):
    data['annotations'][0]['label'] = [0, 2]
    train = build(data, tmp_path, multi_class=True, num_classes=3)
    assert train.get_cat_ids(0) == [0, 2]
