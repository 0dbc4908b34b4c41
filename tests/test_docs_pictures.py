"""docs/pictures.md: every command and example is run, on a network of few channels."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers.documents import Document
from test_faq import FEW, folder, in_process, shortened  # noqa: F401  (a fixture)

from stf_mmaction.engine import FocusFile
from stf_mmaction.visualization.animation import ANIMATIONS
from stf_mmaction.visualization.saving import PICTURES

PAGE = Document('docs/pictures.md')
COMMANDS = re.findall(r'^\| .+ \| `(.+)` \|$', PAGE.text, re.M)
STARTS = dict(png=b'\x89PNG', pdf=b'%PDF', gif=b'GIF8', npz=b'PK', html=b'<!DOCTYPE')


@pytest.fixture(scope='module')
def trained(folder):  # noqa: F811
    """A folder with the checkpoints of a short training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        in_process(shortened('python tools/train.py configs/stf_msg3d_demo_j.py --seed 0'))
    return folder


@pytest.mark.parametrize('command', COMMANDS, ids=[c.split(' --', 1)[-1] for c in COMMANDS])
def test_commands_of_the_page(trained, monkeypatch, command):
    monkeypatch.chdir(trained)
    # Of the first four classes.
    in_process(shortened(command).replace(FEW[-1], 'test_dataloader.dataset.indices=40'))
    option = next(o for o in ('--out', '--html', '--focus', '--show-dir') if o in command)
    words = shlex.split(command)
    written = Path(words[words.index(option) + 1])
    if written.suffix:
        start = STARTS[written.suffix[1:]]
        assert written.read_bytes()[: len(start)] == start
    else:
        assert all(path.read_bytes()[:4] == b'\x89PNG' for path in written.iterdir())
        assert list(written.iterdir())


def test_the_example_reads_the_file_of_a_test(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    (example,) = PAGE.python
    exec(example, {})
    file = FocusFile('focus.npz')
    assert len(capsys.readouterr().out.splitlines()) == len(file) == 40
    with np.load('focus.npz', allow_pickle=False) as arrays:
        named = re.search(r'`ids`.*`class_names`', PAGE.text).group()
        names = set(re.findall(r'`(\w+)`', named))
        assert names == {name for name in arrays.files if not name.startswith('focus/')}


def test_the_page_names_all_endings_and_links_lead_somewhere():
    for ending in (*PICTURES, *ANIMATIONS):
        assert f'`{ending}`' in PAGE.text
    assert PAGE.broken_links() == []
