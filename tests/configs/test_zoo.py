"""Tables, metafile and configs agree, and state the paper's numbers."""

import re
import runpy
from types import SimpleNamespace

import pytest
import torch
import yaml
from helpers.zoo_configs import PATHS, ROOT, ZOO, load, network_of
from mmaction.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from stf_mmaction.engine.flops import count, input_shape
from stf_mmaction.experiments import zoo
from stf_mmaction.experiments.paper import VARIANTS

tool = SimpleNamespace(**runpy.run_path(str(ROOT / 'tools/zoo.py')))

PAGE = (ROOT / 'configs/README.md').read_text()
FILE = (ROOT / 'configs/metafile.yml').read_text()
META = yaml.safe_load(FILE)
RESULTS = yaml.safe_load((ROOT / 'tools/results.yml').read_text())
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
    'stf_msg3d_ntu60_xsub_j_c': 89.33,
    'stf_msg3d_ntu60_xsub_j_cd': 89.92,
    'stf_msg3d_ntu60_xsub_j_focus': 90.65,
    'msg3d_ntu120_xsub_j_shift': 82.34,
    'stf_msg3d_ntu120_xsub_j_shift': 83.38,
}
SCARCE = {  # configs with an option
    'msg3d_ntu60_xsub_j_20pct': 79.11,
    'stf_msg3d_ntu60_xsub_j_20pct': 80.77,
    'msg3d_ntu60_xsub_j_25pct': 81.91,
    'stf_msg3d_ntu60_xsub_j_25pct': 84.27,
    'msg3d_k400_j_25pct': 24.69,
    'msg3d_k400_b_25pct': 25.22,
    'stf_msg3d_k400_j_25pct': 25.56,
    'stf_msg3d_k400_b_25pct': 26.30,
}


def rows():
    """Cells of each line of the tables, by the name of the config."""
    lines = re.findall(r'^\| \[(\w+)\]\(([\w/]+)\.py\) (.*)$', PAGE, re.M)
    assert all(PATHS[name] == ROOT / f'configs/{link}.py' for name, link, _ in lines)
    return {name: [c.strip() for c in rest.split('|')[1:-1]] for name, _, rest in lines}


def test_every_config_is_listed_once():
    names = re.findall(r'^\| \[(\w+)\]', PAGE, re.M)
    assert sorted(names) == ZOO
    assert sorted(m['Name'] for m in META['Models']) == ZOO
    assert yaml.safe_load((ROOT / 'model-index.yml').read_text()) == dict(
        Import=['configs/metafile.yml']
    )


@pytest.fixture(scope='module')
def written():
    """Rows as the tool makes them, with each network counted once."""
    counted = {}

    def count(cfg, shape):
        backbone, head = network_of(cfg).backbone, network_of(cfg).cls_head
        key = f'{backbone}{shape}'
        if key not in counted:
            with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
                net = MODELS.build(backbone).eval()
                with FlopCounterMode(display=False) as counter:
                    net(torch.randn(shape))
            counted[key] = (
                sum(p.numel() for p in net.parameters()),
                counter.get_total_flops() // 2,
            )
        params, flops = counted[key]
        last = head.in_channels * head.num_classes
        copies = len(cfg.model.get('members', 'm')) * len(cfg.model.get('streams', 'j'))
        return (copies * (params + last + head.num_classes), copies * (flops + last))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, 'count', count)
        patch.setattr(zoo, 'Config', SimpleNamespace(fromfile=lambda path: load(path.stem)))
        patch.setattr(zoo, '_counted', {})
        return {name: zoo.describe(name, RESULTS) for name in zoo.names()}


def test_pages_are_what_the_tool_writes(written):
    assert PAGE.split(tool.START)[1] == '\n' + tool.tables(written, RESULTS)
    assert FILE == tool.metafile(written, RESULTS)


def test_tables_and_metafile_agree():
    table = rows()
    for model in META['Models']:
        cells = table[model['Name']]
        assert (ROOT / model['Config']).is_file()
        data = model['Metadata']
        machine, batch = cells[2].split(' x ')
        assert [data['Training Resources'], data['Batch Size']] == [
            'CPU' if machine == 'CPU' else f'{machine} GPUs',
            int(batch),
        ]
        assert cells[3:7] == [
            data['Architecture'],
            str(data['Epochs']),
            data['FLOPs'],
            data['Parameters'],
        ]
        metrics = model['Results'][0]['Metrics']
        assert all(isinstance(value, float) for value in metrics.values())
        own = RESULTS.get(model['Name'])
        if own:
            assert cells[9:11] == [own['top1'], str(own['seeds'])]
            assert metrics == {'Top 1 Accuracy': float(own['top1'].split()[0])}
        else:
            assert (cells[9:11], metrics) == (['', '-'], {})
        cfg = load(model['Name'])
        times = cfg.train_dataloader.dataset.get('times', 1)
        assert data['Epochs'] == cfg.train_cfg.max_epochs * times
        assert data['Batch Size'] == cfg.train_dataloader.batch_size
    assert {part for key in RESULTS for part in key.split('+')} <= {*ZOO, *VARIANTS}


def test_what_is_measured_and_published_is_written(written):
    name = 'msg3d_k400_j'
    results = {
        name: dict(top1='35.50 +- 0.25', seeds=3, ckpt='https://a/b.pth', log='https://a/b.log'),
        f'{name}+msg3d_k400_b': dict(top1='36.00', seeds=3),
    }
    own = dict(
        written[name],
        **{
            'top-1, ours': '35.50 +- 0.25',
            'seeds': 3,
            'ckpt': '[ckpt](https://a/b.pth)',
            'log': '[log](https://a/b.log)',
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, 'counted', lambda *_: (3144000, 19150000000))
        assert zoo.describe(name, results) == own
    (model,) = yaml.safe_load(tool.metafile({name: own}, results))['Models']
    assert model['Results'][0]['Metrics'] == {'Top 1 Accuracy': 35.5}
    assert (model['Weights'], model['Training Log']) == ('https://a/b.pth', 'https://a/b.log')
    assert ('| MS-G3D | 35.74 | 35.50 +- 0.25 | 34.77 |  | 37.23 | 36.00 |') in tool.tables(
        {name: own}, results
    )


def test_tables_of_the_paper():
    """Fused, ablation, scarce data and data shift, ours beside it."""

    def line(setting, *cells):
        return (
            f'| {setting} | '
            + ' | '.join(
                f'{number:.2f} | {RESULTS.get(key, {}).get("top1", "")}' for number, key in cells
            )
            + ' |\n'
        )

    for name, numbers in PAPER.items():
        kind, bench = name.split('msg3d_')
        keys = f'{name}_j', f'{name}_b', f'{name}_j+{name}_b'
        part = PAGE.split(f'tools/reproduce.sh {bench} 4`:\n')[1]
        assert line('STF' if kind else 'MS-G3D', *zip(numbers, keys)) in (part.split('`bash')[0])
    base = 'msg3d_ntu60_xsub_j'
    for row, lines in {
        'ablation 4': [
            ('MS-G3D', base),
            ('+ coherence', f'stf_{base}_c'),
            ('+ divergence', f'stf_{base}_cd'),
            ('+ adjacency', f'stf_{base}_focus'),
            ('+ exploration (STF)', f'stf_{base}'),
        ],
        'scarce 4': [
            (f'{kind}, {percent} %', f'{start}{base}_{percent}pct')
            for percent in (20, 25)
            for kind, start in (('MS-G3D', ''), ('STF', 'stf_'))
        ],
        'shift 4': [
            (kind, f'{start}msg3d_ntu120_xsub_j_shift')
            for kind, start in (('MS-G3D', ''), ('STF', 'stf_'))
        ],
    }.items():
        part = PAGE.split(f'tools/reproduce.sh {row}`:\n')[1].split('`bash')[0]
        for setting, name in lines:
            number = {**OTHERS, **SCARCE}.get(name) or PAPER[name[:-2]][0]
            assert line(setting, (number, name)) in part
    part = PAGE.split('tools/reproduce.sh scarce 4 k400`:\n')[1]
    for kind, start in (('MS-G3D', ''), ('STF', 'stf_')):
        keys = [f'{start}msg3d_k400_{s}_25pct' for s in 'jb']
        assert line(f'{kind}, 25 %', *((SCARCE[k], k) for k in keys)) in part


def test_the_papers_numbers():
    table = rows()
    expected = dict(OTHERS)
    for name, (joints, bones, _) in PAPER.items():
        expected.update({f'{name}_j': joints, f'{name}_b': bones})
    for name, cells in table.items():
        assert cells[8] == (f'{expected[name]:.2f}' if name in expected else '-'), name
    numbers = yaml.safe_load((ROOT / 'tools/paper.yml').read_text())
    for name, (_, _, both) in PAPER.items():
        bench = name.split('msg3d_')[1]
        setting = 'STF' if name.startswith('stf') else 'MS-G3D'
        assert numbers[bench][setting]['J+B'] == both


@pytest.mark.parametrize('name', ['msg3d_demo_j', 'stf_msg3d_demo_j', 'stf_msg3d_demo_jb'])
def test_flops_and_parameters_are_counted(name):
    cfg = load(name)
    params, flops = count(cfg, input_shape(cfg))
    assert rows()[name][5:7] == [f'{flops / 1e9:.2f}G', f'{params / 1e6:.3f}M']
