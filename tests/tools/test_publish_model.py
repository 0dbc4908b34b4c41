"""A published checkpoint is small, named by its hash, and found by URL."""
import functools
import hashlib
import http.server
import threading

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.runner import CheckpointLoader
from networks import recognizer_cfg
from test_tools import ROOT, tool


class Code:
    """What a pickle could run."""

    def __reduce__(self):
        return print, ('ran', )


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    own = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=own.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{own.server_port}'
    own.shutdown()


def test_a_checkpoint_is_published_and_loaded_by_url(tmp_path, server):
    model = MODELS.build(recognizer_cfg())
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(epoch=3),
             optimizer=[torch.zeros(10**6)], message_hub=dict(a=1)),
        tmp_path / 'epoch_3.pth')
    out = tool('publish_model.py', tmp_path / 'epoch_3.pth',
               tmp_path / 'zoo' / 'small')
    assert out.returncode == 0, out.stderr
    file, = (tmp_path / 'zoo').iterdir()
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    assert file.name == f'small-{digits}.pth'
    assert file.stat().st_size < 10**6
    loaded = CheckpointLoader.load_checkpoint(f'{server}/zoo/{file.name}',
                                              map_location='cpu')
    assert set(loaded) == {'state_dict', 'meta'}
    torch.testing.assert_close(loaded['state_dict'], model.state_dict())


def test_a_changed_file_and_code_are_refused(tmp_path, server):
    (tmp_path / 'bad-01234567.pth').write_bytes(b'not what was published')
    with pytest.raises(RuntimeError, match='invalid hash value'):
        CheckpointLoader.load_checkpoint(f'{server}/bad-01234567.pth')
    torch.save(dict(state_dict=Code()), tmp_path / 'code.pth')
    with pytest.raises(Exception, match='[Ww]eights.only'):
        CheckpointLoader.load_checkpoint(f'{server}/code.pth')


def test_the_tools_take_a_url():
    for name in ('test.py', 'visualize_focus.py', 'export_onnx.py'):
        assert 'type=checkpoint' in (ROOT / 'tools' / name).read_text()
