"""Files that tools read, damaged, foreign or hostile: one sentence each, which names the file."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from helpers.tool_files import (
    ANALYSIS,
    READERS,
    TABLE,
    arrays_of,
    broken_stream,
    compressed,
    dump,
    features,
    focus,
    laughs,
    lines,
    load,
    npz,
    sample,
)

from stf_mmaction.engine import FocusFile

# Name: (reader, bytes or text, a part of the error).
CASES = {
    # Training logs.
    'log_empty': ('log', '', 'empty log'),
    'log_binary': ('log', b'\x80\x04\xff\x00', 'line 1 is not JSON'),
    'log_utf16': ('log', b'\xff\xfe\x00', 'line 1 is not JSON'),
    'log_list': ('log', '[1]', 'line 1 has no step'),
    'log_deep': ('log', '[' * 100_000, 'line 1 is not JSON'),
    'log_text_step': ('log', lines(dict(step='x')), 'not whole numbers'),
    'log_negative_step': ('log', lines(dict(step=-1)), 'not whole numbers'),
    'log_list_of_iterations': ('log', lines(dict(step=1, iter=[1])), 'not whole numbers'),
    'log_text_epoch': ('log', lines(dict(step=1, iter=1, epoch='1')), 'not whole numbers'),
    'log_infinite_iteration': ('log', '{"step": 1, "iter": Infinity}', 'not whole numbers'),
    'log_long_number': ('log', '{"step": ' + '9' * 5000 + '}', 'line 1 is not JSON'),
    # Features.
    'features_empty': ('features', b'', 'not an NPZ or NPY file'),
    'features_text': ('features', b'no archive', 'not an NPZ or NPY file'),
    'features_one_array': ('features', b'\x93NUMPY' + bytes(2), 'version'),
    'features_lacks': ('features', npz(features=np.eye(3)), "lacks ['labels', 'ids']"),
    'features_cut': ('features', features()[:-40], 'not a complete NPZ'),
    'features_damaged': ('features', broken_stream(compressed(features=np.eye(9))), 'NPZ'),
    'features_objects': ('features', features(ids=np.array([1, 'a'], object)), 'could run code'),
    'features_words': ('features', features(features=np.array([['a']] * 3)), 'do not fit'),
    'features_flat': ('features', features(features=np.zeros(3)), 'do not fit'),
    'features_few_labels': ('features', features(labels=np.arange(2)), 'do not fit'),
    'features_half_labels': ('features', features(labels=np.arange(3) / 2), 'do not fit'),
    'features_none': (
        'features',
        features(features=np.zeros((0, 3)), labels=np.zeros(0, int), ids=np.zeros(0, 'U1')),
        'do not fit',
    ),
    'features_nan': ('features', features(features=np.full((3, 2), np.nan)), 'not finite'),
    'features_huge': ('features', features(features=np.full((3, 2), 1e300)), 'not finite'),
    'features_label_beyond': ('features', features(classes=np.array(['a', 'b'])), 'labels from'),
    'features_negative_label': ('features', features(labels=np.array([-5, 0, 1])), 'labels from'),
    'features_number_names': ('features', features(classes=np.arange(3)), 'not text'),
    'features_one_name': ('features', features(classes=np.array('a')), 'not a list of text'),
    # Joints that act.
    'parts_text': ('parts', 'x', 'not JSON'),
    'parts_list': ('parts', '[1]', 'not a dict of'),
    'parts_number': ('parts', '{"0": 5}', 'not a dict of'),
    'parts_word': ('parts', '{"zero": [1]}', "class 'zero'"),
    'parts_class': ('parts', '{"4": [1]}', "class '4'"),
    'parts_joint': ('parts', '{"0": [5]}', 'joint 5'),
    'parts_negative': ('parts', '{"0": [-1]}', 'joint -1'),
    'parts_nested': ('parts', '{"0": [[1]]}', 'joint [1]'),
    'parts_true': ('parts', '{"0": [true]}', 'joint True'),
    'parts_half': ('parts', '{"0": [1.5]}', 'joint 1.5'),
    'parts_deep': ('parts', '{"0": ' + '[' * 100_000, 'nested too deep'),
    # Focus of a test.
    'focus_empty': ('focus', b'', 'not a focus file'),
    'focus_text': ('focus', b'x', 'not a focus file'),
    'focus_pickle': ('focus', pickle.dumps(1), 'not a focus file'),
    'focus_other_npz': ('focus', features(), 'not a focus file'),
    'focus_damaged': ('focus', broken_stream(compressed(index=np.arange(9))), 'not a focus file'),
    'focus_a_map_lacks': ('focus', focus(**{'focus/0': None}), 'not a focus file'),
    'focus_flat_map': ('focus', focus(**{'focus/1': np.zeros(3, np.float16)}), 'not a focus file'),
    'focus_map_of_text': ('focus', focus(**{'focus/1': np.array(['x'])}), 'not a focus file'),
    'focus_ids_of_numbers': ('focus', focus(ids=np.arange(2)), 'not a focus file'),
    'focus_one_id': ('focus', focus(ids=np.array('a')), 'not a focus file'),
    'focus_three_labels': ('focus', focus(label=np.zeros(3, int)), 'not a focus file'),
    'focus_half_label': ('focus', focus(label=np.zeros(2)), 'not a focus file'),
    'focus_class_beyond': ('focus', focus(classes=np.array([[0, 3]] * 2)), 'not a focus file'),
    'focus_scores': ('focus', focus(scores=np.zeros((2, 4), np.float32)), 'not a focus file'),
    'focus_names': ('focus', focus(class_names=np.arange(3)), 'not a focus file'),
    # Scores of a test.
    'dump_dict': ('dump', pickle.dumps({}), 'lacks clips'),
    'dump_none': ('dump', pickle.dumps([]), 'lacks clips'),
    'dump_of_text': ('dump', dump('x'), 'lacks clips'),
    'dump_without_ids': (
        'dump',
        dump(dict(pred_score=[1.0], gt_label=0)),
        'does not name its clips',
    ),
    'dump_id_of_a_list': ('dump', dump(sample(frame_dir=['a'])), 'not by text'),
    'dump_id_of_a_number': ('dump', dump(sample(frame_dir=3)), 'not by text'),
    'dump_twice': ('dump', dump(sample(), sample()), 'twice'),
    'dump_no_label': ('dump', dump(sample(gt_label=None)), 'the label nan'),
    'dump_label_of_text': ('dump', dump(sample(gt_label='x')), 'is not a number'),
    'dump_label_of_a_dict': ('dump', dump(sample(gt_label={})), 'is not a number'),
    'dump_half_label': ('dump', dump(sample(gt_label=0.5)), 'the label 0.5'),
    'dump_huge_label': ('dump', dump(sample(gt_label=1e300)), 'the label 1e+300'),
    'dump_label_beyond': ('dump', dump(sample(gt_label=2)), 'the label 2'),
    'dump_no_scores': ('dump', dump(sample(pred_score=[])), 'not probabilities'),
    'dump_words': ('dump', dump(sample(pred_score=['a', 'b'])), 'not probabilities'),
    'dump_ragged': ('dump', dump(sample(pred_score=[[1], [1, 2]])), 'not probabilities'),
    'dump_nan': ('dump', dump(sample(pred_score=[np.nan, 1.0])), 'not probabilities'),
    'dump_flat_sum': ('dump', dump(sample(pred_score=[0.1, 0.1])), 'not probabilities'),
    'dump_square': ('dump', dump(sample(pred_score=np.eye(2))), 'not probabilities'),
    'dump_bfloat16': (
        'dump',
        dump(sample(pred_score=torch.ones(2, dtype=torch.bfloat16))),
        'not probabilities',
    ),
    'dump_of_two_tests': (
        'dump',
        dump(sample(), sample(frame_dir='b', pred_score=np.array([0.2, 0.3, 0.5]))),
        'scores of 3 classes, others of 2',
    ),
    # Names of classes.
    'names_empty': ('names', '', 'not a list of text'),
    'names_blank_line': ('names', 'a\n\nb\n', 'the name of class 1'),
    'names_blank': ('names', ' \n\t\n', 'not a list of text'),
    # YAML.
    'yaml_open': ('yaml', 'a: [1', 'is not YAML'),
    'yaml_tab': ('yaml', 'a:\n\tb: 1', 'line 2'),
    'yaml_code': ('yaml', '!!python/object/apply:os.system ["touch attacked"]', 'is not YAML'),
    'yaml_control': ('yaml', 'a: \x00', 'is not YAML'),
    'yaml_deep': ('yaml', '[' * 5000, 'nested'),
    'yaml_laughs': ('yaml', laughs(12), 'nested too deeply'),
    'yaml_in_itself': ('yaml', 'a: &a [*a]', 'contains itself'),
    'yaml_key_of_a_list': ('yaml', '? [a]\n: b', 'is not YAML'),
    'yaml_date': ('yaml', 'a: 2026-99-99', 'is not YAML'),
    # Tables of experiments.
    'table_empty': ('table', '', 'a mapping of'),
    'table_text': ('table', 'x', 'a mapping of'),
    'table_unknown': ('table', TABLE + 'sedes: 1', "has unknown ['sedes']"),
    'table_lacks': ('table', 'sets: {}', 'lacks'),
    'table_sets': (
        'table',
        TABLE.replace('{demo:', '[demo, ').replace('}}}}', '}}}]'),
        "'sets' is",
    ),
    'table_seeds': ('table', TABLE.replace('[0]', '5'), "'seeds' is 5"),
    'table_negative_seed': ('table', TABLE.replace('[0]', '[-1]'), "'seeds' is [-1]"),
    'table_word_seed': ('table', TABLE.replace('[0]', '[a]'), "'seeds' is ['a']"),
    'table_rows': ('table', TABLE.replace('{a: }', '[a]'), "'rows' is ['a']"),
    'table_row': ('table', TABLE.replace('{a: }', '{a: 5}'), "row 'a' is 5"),
    'table_against': ('table', TABLE.replace('against: a', 'against: b'), "the row 'b'"),
    'table_member': ('table', TABLE.replace('{a: }', '{a: {mean_of: [[1]]}}'), 'mean_of holds [1]'),
    'table_split': ('table', TABLE.replace('{train: train, test: val}', '5'), "split 'own'"),
    'table_half_split': ('table', TABLE.replace(', test: val', ''), "lacks ['test']"),
    'table_config': ('table', TABLE.replace('msg3d_demo_j', 'gone'), 'gone.py'),
    'table_options': (
        'table',
        TABLE.replace('{a: }', '{a: {options: {param_scheduler.99.x: 1}}}'),
        'do not fit the config',
    ),
    # Results of experiments.
    'results_number': ('results', '5\n', 'line 1 is not a result'),
    'results_other': ('results', '{"key": 1}\n', 'line 1 is not a result'),
    # Arrays of whole data sets.
    'npy_empty': ('npy', b'', 'not a complete NumPy array'),
    'npy_text': ('npy', b'no array at all', 'not a complete NumPy array'),
    'npy_cut': (
        'npy',
        b'\x93NUMPY\x01\x00\x76\x00'
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 9, 5, 1), }".ljust(117)
        + b'\n',
        'not a complete NumPy array',
    ),
    'npy_header': (
        'npy',
        b"\x93NUMPY\x01\x00\x76\x00{\x93{'descr': '<f4', 'shape': (2, 3), }".ljust(128),
        'not a complete NumPy array',
    ),
    # Configs.
    'config_syntax': ('config', 'model = dict(', '(line 1): SyntaxError'),
    'config_name': ('config', 'a = 1\nmodel = dict(type=Gone)', "line 2 of"),
    'config_import': ('config', "custom_imports = dict(imports=['gone_module'])", 'gone_module'),
    'config_no_base': ('config', "_base_ = './gone.py'", 'gone.py'),
    'config_binary': ('config', b'\x80\x04\x00', 'cannot be read'),
    'config_divides': ('config', 'a = 1 / 0', 'ZeroDivisionError'),
}


@pytest.mark.parametrize('name', CASES)
def test_a_file_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    reader, content, reason = CASES[name]
    path = tmp_path / 'x.yml'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((ValueError, SystemExit, FileNotFoundError)) as error:
        READERS[reader](path)
    sentence = str(error.value)
    assert reason in sentence and '\n' not in sentence and len(sentence) < 700
    assert not (tmp_path / 'attacked').exists()


@pytest.mark.parametrize(
    'names, labels',
    [
        (['a', 'b'], [0, 'x']),
        (['a', 'b'], [0, None]),
        (['a', 'b'], [0, -1]),
        (['a', 'b'], [0, 1e300]),
        (['a', 'b'], [0, float('nan')]),
        (['a', 2], [0, 1]),
        (np.array('a'), [0, 1]),
        (['a'], [0, 1]),
    ],
)
def test_labels_of_arrays(tmp_path, names, labels):
    (tmp_path / 'train_label.pkl').write_bytes(pickle.dumps((names, labels)))
    np.save(tmp_path / 'x.npy', np.zeros((2, 3, 4, 5, 1), np.float32))
    with pytest.raises(SystemExit, match=r'error: .*train_(label|data)'):
        arrays_of(tmp_path / 'x.npy')


def test_what_is_well_is_read(tmp_path):
    path = tmp_path / 'x.npz'
    path.write_bytes(focus())
    assert [row.clip for row in FocusFile(path)] == ['a', 'b']
    path.write_bytes(features(classes=np.array(['x', 'y', 'z'])))
    assert READERS['features'](path)[3] == ('x', 'y', 'z')
    path.write_text(lines(dict(step=1, iter=0, epoch=1, loss='x'), dict(step=2, loss=1)))
    log = READERS['log'](path)
    assert load(ANALYSIS / 'curves.py').series(log, 'loss') == [[2.0], [1.0]]
    path.write_text(TABLE)
    assert [cell.row for cell in READERS['table'](path)] == ['a']


def test_a_damaged_map_is_named(tmp_path):
    """The others of the file are still read."""
    path = tmp_path / 'x.npz'
    data = bytearray(focus(**{'focus/1': np.full((2, 1, 900, 5), 0.5, np.float16)}))
    data[data.rindex(np.float16(0.5).tobytes() * 8)] ^= 0xFF
    path.write_bytes(data)
    file = FocusFile(path)
    assert file[0].clip == 'a'
    with pytest.raises(ValueError, match='damaged in clip b'):
        file[1]
    with pytest.raises(IndexError):
        file[2]


def test_members_of_an_archive_are_counted(tmp_path):
    """A bomb of many members, all of which lie at the same place."""
    path = tmp_path / 'x.npz'
    path.write_bytes(compressed(a=np.zeros(2**23)))
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
    data = path.read_bytes()
    start = data.index(b'PK\x01\x02')
    record = data[start : data.index(b'PK\x05\x06')]
    end = bytearray(data[data.index(b'PK\x05\x06') :])
    end[8:12] = (100).to_bytes(2, 'little') * 2
    end[12:16] = (100 * len(record)).to_bytes(4, 'little')
    path.write_bytes(data[:start] + record * 100 + bytes(end))
    with pytest.raises(ValueError, match='unpacks to'):
        READERS['features'](path)
