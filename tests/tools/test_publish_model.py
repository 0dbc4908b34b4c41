"""A published checkpoint is small, named by its hash, and found by URL."""

import functools
import hashlib
import http.server
import json
import runpy
import threading

import pytest
import torch
from helpers.networks import calibrate, wake
from helpers.tools import FEW, ROOT
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from stf_mmaction.datasets import safe_load

CONFIG = 'tests/configs/stf_msg3d_tiny_j.py'


class Code:
    """What a pickle could run."""

    def __reduce__(self):
        return print, ('ran',)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    own = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=own.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{own.server_port}'
    own.shutdown()


@pytest.fixture
def call(monkeypatch):
    """Runs a tool in this process, which is faster."""
    monkeypatch.chdir(ROOT)
    # Makes configs look nicer, and takes a good part of a small run.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))

    def calls(name, *arguments):
        monkeypatch.setattr('sys.argv', [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')

    return calls


@pytest.fixture
def published(tmp_path, call):
    """A published checkpoint and its weights."""
    cfg = Config.fromfile(ROOT / CONFIG)
    torch.manual_seed(3)
    model = MODELS.build(cfg.model)
    wake(model)
    data = DATASETS.build(cfg.test_dataloader.dataset)
    calibrate(model, torch.stack([data[i]['inputs'] for i in range(12)]))
    for member in model.members.values():  # They say 0, as ten of these are.
        member.cls_head.fc.bias.data[0] = 10
    torch.save(
        dict(
            state_dict=model.state_dict(),
            meta=dict(epoch=3),
            optimizer=[torch.zeros(10**6)],
            message_hub=dict(a=1),
        ),
        tmp_path / 'epoch_3.pth',
    )
    call('publish_model.py', tmp_path / 'epoch_3.pth', tmp_path / 'zoo' / 'small')
    (file,) = (tmp_path / 'zoo').iterdir()
    return file, model.state_dict()


def test_a_published_checkpoint_is_small_and_has_its_hash(published, server, tmp_path):
    file, state = published
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    assert file.name == f'small-{digits}.pth'
    whole = (tmp_path / 'epoch_3.pth').stat().st_size
    assert file.stat().st_size < whole - 4 * 10**6  # the optimizer's
    loaded = CheckpointLoader.load_checkpoint(f'{server}/zoo/{file.name}', map_location='cpu')
    assert set(loaded) == {'state_dict', 'meta'}
    torch.testing.assert_close(loaded['state_dict'], state)


def test_the_tools_take_a_url(published, server, call, tmp_path, monkeypatch):
    file, _ = published
    url = f'{server}/zoo/{file.name}'
    found = []
    for kind, source in (('path', file), ('url', url)):
        folder = tmp_path / kind
        call(
            'test.py',
            CONFIG,
            source,
            '--work-dir',
            folder,
            '--dump',
            folder / 'scores.pkl',
            '--cfg-options',
            *FEW,
        )
        call('visualize_focus.py', CONFIG, source, '--num-clips', 1, '--out', folder / 'focus.png')
        (metrics,) = folder.glob('*/*.json')
        scores = [s['pred_score'] for s in safe_load(folder / 'scores.pkl')]
        found.append(
            (
                torch.stack(scores),
                json.loads(metrics.read_text())['acc/top1'],
                (folder / 'focus.png').read_bytes(),
            )
        )
        downloaded = (tmp_path / f'home/hub/checkpoints/{file.name}').exists()
        assert downloaded == (kind == 'url')
    (scores, accuracy, picture), by_url = found
    assert len(scores) == 12 == len(scores.unique(dim=0))
    assert accuracy == pytest.approx(10 / 12)
    assert by_url[0].equal(scores) and by_url[1:] == (accuracy, picture)

    def reached(config, checkpoint, **_):
        raise SystemExit(f'loads {checkpoint}')

    monkeypatch.setattr('stf_mmaction.engine.inference.load_model', reached)
    with pytest.raises(SystemExit, match=f'loads {url}'):
        call('export_onnx.py', CONFIG, url)


def test_a_changed_file_and_code_are_refused(tmp_path, server):
    (tmp_path / 'bad-01234567.pth').write_bytes(b'not what was published')
    with pytest.raises(RuntimeError, match='invalid hash value'):
        CheckpointLoader.load_checkpoint(f'{server}/bad-01234567.pth')
    torch.save(dict(state_dict=Code()), tmp_path / 'code.pth')
    with pytest.raises(ValueError, match='it calls .*print'):
        CheckpointLoader.load_checkpoint(f'{server}/code.pth')
