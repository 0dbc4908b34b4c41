"""Tables, metafile and configs agree, and state the paper's numbers."""
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
zoo = runpy.run_path(str(ROOT / 'tools/zoo.py'))
PAGE = (ROOT / 'configs/README.md').read_text()
META = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))
# Section 8 of the design: joints, bones, both.
PAPER = {
    'msg3d_ntu60_xsub': (88.77, 89.59, 90.67),
    'stf_msg3d_ntu60_xsub': (91.34, 91.09, 92.47),
    'msg3d_ntu60_xview': (94.88, 94.86, 95.82),
    'stf_msg3d_ntu60_xview': (96.46, 96.51, 96.86),
    'msg3d_ntu120_xsub': (82.35, 84.86, 86.42),
    'stf_msg3d_ntu120_xsub': (85.06, 86.80, 88.85),
    'msg3d_ntu120_xset': (84.14, 86.79, 87.98),
    'stf_msg3d_ntu120_xset': (86.40, 88.86, 89.92),
    'msg3d_k400': (35.74, 34.77, 37.23),
    'stf_msg3d_k400': (38.20, 37.56, 39.87),
}
OTHERS = {
    'stf_msg3d_ntu60_xsub_j_c': 89.33, 'stf_msg3d_ntu60_xsub_j_cd': 89.92,
    'stf_msg3d_ntu60_xsub_j_focus': 90.65,
    'msg3d_ntu60_xsub_j_20pct': 79.11, 'stf_msg3d_ntu60_xsub_j_20pct': 80.77,
    'msg3d_ntu60_xsub_j_25pct': 81.91, 'stf_msg3d_ntu60_xsub_j_25pct': 84.27,
    'msg3d_k400_j_25pct': 24.69, 'msg3d_k400_b_25pct': 25.22,
    'stf_msg3d_k400_j_25pct': 25.56, 'stf_msg3d_k400_b_25pct': 26.30,
    'msg3d_ntu120_xsub_j_shift': 82.34, 'stf_msg3d_ntu120_xsub_j_shift': 83.38
}


def rows():
    """Cells of each line of the tables, by the name of the config."""
    lines = re.findall(r'^\| \[(\w+)\]\((\w+)\.py\) (.*)$', PAGE, re.M)
    assert all(name == link for name, link, _ in lines)
    return {name: [c.strip() for c in rest.split('|')[1:-1]]
            for name, _, rest in lines}


def test_every_config_is_listed_once():
    names = re.findall(r'^\| \[(\w+)\]', PAGE, re.M)
    assert sorted(names) == CONFIGS
    assert sorted(m['Name'] for m in META['Models']) == CONFIGS
    assert yaml.safe_load((ROOT / 'model-index.yml').read_text()) == dict(
        Import=['configs/metafile.yml'])


def test_tables_and_metafile_agree():
    assert zoo['START'] in PAGE
    for model in META['Models']:
        cells = rows()[model['Name']]
        assert (ROOT / model['Config']).is_file()
        data = model['Metadata']
        assert cells[2:7] == [
            data['Training Resources'], data['Architecture'],
            str(data['Epochs']), data['FLOPs'], data['Parameters']
        ]
        metrics = model['Results'][0]['Metrics']
        own = metrics if isinstance(metrics, str) else str(
            metrics['Top 1 Accuracy'])
        assert cells[9] == own
        cfg = Config.fromfile(ROOT / model['Config'])
        times = cfg.train_dataloader.dataset.get('times', 1)
        assert data['Epochs'] == cfg.train_cfg.max_epochs * times
        assert data['Batch Size'] == cfg.train_dataloader.batch_size


def test_the_papers_numbers():
    table = rows()
    expected = dict(OTHERS)
    for name, (joints, bones, _) in PAPER.items():
        expected.update({f'{name}_j': joints, f'{name}_b': bones})
    for name, cells in table.items():
        assert cells[8] == (f'{expected[name]:.2f}'
                            if name in expected else '-'), name
    numbers = yaml.safe_load((ROOT / 'tools/paper.yml').read_text())
    for name, (_, _, both) in PAPER.items():
        bench = name.split('msg3d_')[1]
        setting = 'STF' if name.startswith('stf') else 'MS-G3D'
        assert numbers[bench][setting]['J+B'] == both


@pytest.mark.parametrize('name', [
    'msg3d_demo_j', 'stf_msg3d_demo_j', 'stf_msg3d_demo_jb'])
def test_flops_and_parameters_are_counted(name):
    params, flops, _ = zoo['count'](
        name, Config.fromfile(ROOT / f'configs/{name}.py'))
    assert rows()[name][5:7] == [f'{flops / 1e9:.2f} G',
                                 f'{params / 1e6:.3f} M']
