"""The commands and the claims of tools/data/README.md."""

import re
import shlex

import pytest
from helpers.data_tools import ROOT, run_tool, skipped

from stf_mmaction.datasets import safe_load

README = (ROOT / 'tools/data/README.md').read_text()
COMMANDS = [
    line for block in re.findall(r'```bash\n(.*?)```', README, re.S) for line in block.splitlines()
]


EXPECTED = [
    ('ntu.py 60', dict(xsub_train=1, xsub_val=1, xview_train=1, xview_val=1), 3),
    ('ntu.py 120', dict(xsub_train=1, xsub_val=2, xset_train=2, xset_val=1), 2),
    ('kinetics.py', dict(train=2, val=1), 0),
    ('kinetics.py', dict(train=2, val=1), 0),
    ('openpose_json.py', dict(train=1), 1),
    ('mmpose_json.py', dict(val=1), 1),
    ('arrays.py', dict(train=3, val=3), 0),
    ('arrays.py', dict(train=3, val=3), 0),
    ('custom.py', dict(train=1, val=1), 0),
]


@pytest.mark.parametrize('index', range(len(COMMANDS)))
def test_every_command_runs(raw, index):
    tool, sizes, left_out = EXPECTED[index]
    words = shlex.split(COMMANDS[index])
    assert ' '.join(words).startswith(f'python tools/data/{tool}')
    run_tool(words[1].rpartition('/')[2], *words[2:])
    out = next(word for word in words if word.endswith('.pkl'))
    split = safe_load(out)['split']
    assert {name: len(ids) for name, ids in split.items()} == sizes
    assert len(skipped(out)) == left_out
    if '--clip-dir' in words:
        assert len(list((raw / 'skeleton/k400_openpose').iterdir())) == 3


def test_every_command_is_expected():
    assert len(COMMANDS) == len(EXPECTED)


def test_links_lead_somewhere():
    links = re.findall(r'\]\(([^)#]+)\)', README)
    gone = [
        link for link in links if '://' not in link and not (ROOT / 'tools/data' / link).exists()
    ]
    assert links and gone == []
