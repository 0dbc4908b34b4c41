"""The reference is the published network, and the benchmark runs."""

import argparse
import json
import runpy
import sys

import pytest
import torch
from helpers.oracle import REFERENCE, build, inputs, published_state_dict
from helpers.processes import forked, script
from helpers.tools import DEMO, ROOT, load, tool

from stf_mmaction.benchmark import measures
from stf_mmaction.benchmark.published_msg3d import PublishedMSG3D


@pytest.mark.parametrize('case', ['ntu', 'kinetics'])
def test_the_reference_is_the_published_network(case):
    values = REFERENCE[case]
    layout = build(case).backbone.layout
    net = PublishedMSG3D(
        layout.inward,
        layout.num_node,
        values['num_class'],
        num_gcn_scales=values['num_gcn_scales'],
        num_g3d_scales=values['num_g3d_scales'],
    )
    net.load_state_dict(published_state_dict(case))
    with torch.no_grad():
        scores = net.double().eval()(inputs(case))
    torch.testing.assert_close(
        scores, torch.tensor(values['eval_logits'], dtype=torch.float64), rtol=1e-6, atol=1e-6
    )


def test_the_benchmark_prints_a_row_for_each_network(tmp_path, monkeypatch):
    # Its processes for memory are forked; the README's command starts them.
    monkeypatch.setattr(
        'subprocess.run', lambda command, env, **_: forked(script, *command[1:], env=env)
    )
    out = tool(
        'benchmark.py',
        DEMO,
        '--batch',
        2,
        '--frames',
        8,
        '--rounds',
        1,
        '--variants',
        'cp',
        'focus',
        '--tune-malloc',
        '--profile',
        tmp_path / 'kernels.txt',
    )
    assert out.returncode == 0, out.stderr[-2000:]
    table = (tmp_path / 'kernels.txt').read_text()
    assert table.count('aten::bmm') >= 4 and 'published\n' in table and f'{DEMO}+cp\n' in table
    rows = [line for line in out.stdout.splitlines() if ' x |' in line]
    assert [row.split()[1] for row in rows] == [
        'published',
        'stf_msg3d_demo_j',
        'stf_msg3d_demo_j+cp',
        'stf_msg3d_demo_j+focus',
    ]
    assert ' 1.00 x ' in rows[0] and 'freed memory kept' in out.stdout


def test_the_benchmark_counts_a_step_on_a_gpu(tmp_path, monkeypatch, capsys):
    file = tmp_path / 'counts.json'
    arguments = ['configs/msg3d_demo_j.py', '--count', '--json', str(file), '--frames', '8']
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *arguments, '--variants', 'cp'])
    monkeypatch.chdir(ROOT)
    runpy.run_path('tools/benchmark.py', run_name='__main__')
    counts = json.loads(file.read_text())
    plain, kept = (counts[f'configs/msg3d_demo_j.py{variant}'] for variant in ('', '+cp'))
    assert len(counts) == 2 and set(plain) == {'launches', 'bytes', 'flops', 'peak_bytes'}
    assert kept['peak_bytes'] < plain['peak_bytes'] and kept['launches'] > plain['launches']
    assert 'a model of a GPU (a100)' in capsys.readouterr().out


@pytest.mark.parametrize(
    'arguments, said',
    [
        ((DEMO, '--rounds', 0), '--rounds: 0 must be at least 1'),
        ((DEMO, '--batch', -1), '--batch: -1 must be at least 1'),
        ((DEMO, '--json', 'x.json'), 'add --count'),
        ((DEMO, '--profile', 'x.txt', '--count'), 'leave one out'),
        (('configs/stgcn_utd_mhad_j.py',), 'use --no-reference'),
        (
            ('configs/stgcn_utd_mhad_j.py', '--no-reference', '--variants', 'cp'),
            'without the variant cp',
        ),
    ],
)
def test_wrong_usage_ends_in_a_sentence(arguments, said):
    out = tool('benchmark.py', *arguments)
    assert out.returncode != 0 and said in out.stderr
    assert 'Traceback' not in out.stderr


def test_kept_memory_is_not_claimed_where_the_environment_rules(monkeypatch):
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '131072')
    out = tool('benchmark.py', DEMO, '--tune-malloc')
    assert out.returncode == 1
    assert out.stderr.startswith('error: --tune-malloc has nothing to set')


def test_the_benchmark_runs_on_a_stock_network(monkeypatch, capsys):
    module = load(ROOT / 'tools/benchmark.py')
    monkeypatch.setattr(module, 'memory_in_a_new_process', lambda _: 1.0)  # takes its start
    sizes = '--no-reference --batch 1 --frames 8 --rounds 1'.split()
    narrow = ['--cfg-options', 'model.backbone.base_channels=8', 'model.cls_head.in_channels=32']
    config = str(ROOT / 'configs/stf_stgcnpp_ntu60_xsub_j.py')
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', config, *sizes, *narrow])
    module.main()
    assert 'input (1, 1, 2, 8, 25, 3)' in capsys.readouterr().out


def test_a_ratio_is_the_median_of_those_of_the_rounds(monkeypatch):
    # Forward pass and step of a, then of b; the machine is ten times slower in round two.
    clock = iter([2, 4, 1, 1, 20, 40, 10, 20, 3, 5, 1, 5])
    monkeypatch.setattr(measures, 'seconds', lambda work, device: next(clock))
    monkeypatch.setattr(measures, 'build', lambda name, args: torch.nn.Linear(2, 1))
    monkeypatch.setattr(measures, 'forward', lambda *_: None)
    monkeypatch.setattr(measures, 'step', lambda *_: None)
    args = argparse.Namespace(rounds=3, device='cpu')
    a, b = measures.measure(['a', 'b'], None, None, args).values()
    assert (a['forward'], a['step'], b['forward'], b['step']) == (3, 5, 1, 5)
    assert (a['forward_ratio'], a['step_ratio']) == (1, 1)
    assert (b['forward_ratio'], b['step_ratio']) == (2, 2)
