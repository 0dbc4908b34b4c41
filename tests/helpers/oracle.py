"""Weights and inputs of the published MS-G3D, rebuilt from a formula.

``tests/data/msg3d_reference.json`` holds what the published networks compute
with them: weights rounded to single precision, everything else in double, so
that a network is built and loaded first and converted by ``double()`` then.
"""

import json
import re
import zlib

import numpy as np
import torch
from mmaction.registry import MODELS

from helpers import ROOT
from stf_mmaction.models import convert_msg3d_state_dict

REFERENCE = json.loads((ROOT / 'tests/data/msg3d_reference.json').read_text())
NTU_AS_PUBLISHED = 'nturgb+d_msg3d'
LAYOUTS = dict(ntu=NTU_AS_PUBLISHED, kinetics='openpose', mmaction2_ntu='nturgb+d')


def noise(name, shape):
    """Pseudo-noise in [-1, 1) of the given shape."""
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    phase = zlib.crc32(name.encode()) % 100003
    wave = np.sin((index + 1) * 12.9898 + phase * 78.233e-3) * 43758.5453
    return torch.from_numpy((2 * (wave - np.floor(wave)) - 1).reshape(shape))


def published_weight(name, shape):
    """One entry of a published state dict, by its published name."""
    u = noise(name, shape)
    if name.endswith('num_batches_tracked'):
        return torch.zeros(shape, dtype=torch.long)
    if name.endswith(('running_mean', 'bias')):
        return 0.1 * u
    if name.endswith('running_var'):
        return 1 + 0.2 * u
    if name.endswith(('A_res', '.PA')):
        return 0.02 * u
    if len(shape) == 1:
        return 1 + 0.2 * u
    return u * (3.0 / np.prod(shape[1:])) ** 0.5


def published_shapes(case):
    """Shapes of the published state dict of a case."""
    shapes = REFERENCE[case]['state_shapes']
    if shapes:
        return {name: tuple(shape) for name, shape in shapes.items()}
    out = {}  # Kinetics is the NTU network with other numbers
    values = REFERENCE[case]
    joints, gcn, g3d = (values['num_point'], values['num_gcn_scales'], values['num_g3d_scales'])
    for name, shape in published_shapes('ntu').items():
        shape = list(shape)
        if name.startswith('data_bn') and shape:
            shape = [6 * joints]
        elif name.endswith('A_res'):
            window = shape[1] // 25
            scales = gcn if window == 1 else g3d
            shape = [scales * window * joints, window * joints]
        elif re.search(r'mlp\.layers\.0\.weight$', name):
            new, old = (gcn, 13) if name.startswith('sgcn') else (g3d, 6)
            shape[1] = shape[1] // old * new
        elif name.startswith('fc.'):
            shape[0] = values['num_class']
        out[name] = tuple(shape)
    return out


def published_state_dict(case):
    """The state dict of a case, as published; fixed matrices left out."""
    return {
        name: published_weight(name, shape)
        for name, shape in published_shapes(case).items()
        if name.rsplit('.')[-1] != 'A'
    }


def build(case, backbone='MSG3DBackbone', head='GCNHead', recognizer='RecognizerGCN', **head_cfg):
    """Our network of a case with the published weights."""
    values = REFERENCE[case]
    model = MODELS.build(
        dict(
            type=recognizer,
            backbone=dict(
                type=backbone,
                graph_cfg=dict(layout=LAYOUTS[case]),
                num_gcn_scales=values['num_gcn_scales'],
                num_g3d_scales=values['num_g3d_scales'],
                adjacency_norm='column' if case == 'mmaction2_ntu' else 'symmetric',
            ),
            cls_head=dict(type=head, num_classes=values['num_class'], in_channels=384, **head_cfg),
        )
    )
    state = convert_msg3d_state_dict(published_state_dict(case))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all('.stf_' in name for name in missing), missing
    return model


def inputs(case):
    """Input (N, M, T, V, C) of a case, float64."""
    values = REFERENCE[case]
    frames, clips = values['T'], values['N']
    if case == 'mmaction2_ntu':
        return noise('input/mmaction2', (clips, 2, frames, 25, 3))
    joints = values['num_point']
    x = noise(f'input/{case}', (clips, 3, frames, joints, 2))
    return x.permute(0, 4, 2, 3, 1).contiguous()
