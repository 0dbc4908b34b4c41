"""Conversion of published MS-G3D weights."""

import re
from typing import Dict

import torch
from torch import Tensor

_UNITS = {'sgcn{}.1': 'tcn1', 'sgcn{}.2': 'tcn2', 'tcn{}': 'tcn'}
_NORM = ('weight', 'bias', 'running_mean', 'running_var')


def convert_msg3d_state_dict(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Convert published MS-G3D weights to this package's names and layouts.

    Args:
        state_dict (dict[str, torch.Tensor]): Entries of any shape, of the original code
            (``sgcn1.0.A_res``, ``fc.weight``, ...) or of MMAction2's MSG3D
            project (``backbone.sgcn1.0.PA``, ``cls_head.fc.weight``, ...).
            Prefixes ``module.`` are dropped.

    Returns:
        dict[str, torch.Tensor]: For a ``RecognizerGCN`` or ``STFRecognizer``
        with :class:`MSG3DBackbone` or :class:`STFGCN` and a ``GCNHead`` or
        ``STFHead``. Weights of the project require
        ``adjacency_norm='column'``, those of the original ``'symmetric'``.

    Raises:
        ValueError: If an entry is missing or unknown.
    """
    source = {}
    for name, value in state_dict.items():
        name = re.sub(r'^module\.', '', name)
        source[re.sub(r'^(backbone|cls_head)\.', '', name)] = value
    if not any(name.startswith('gcn3d1.') for name in source):
        raise ValueError(
            'the state dict holds no MS-G3D weights (no gcn3d1.* among its '
            f'{len(source)} entries): give the network\'s state dict itself'
        )
    out: Dict[str, Tensor] = {}
    try:
        _norm(source, out, ['data_bn'], 'backbone.data_bn')
        for b in (1, 2, 3):
            target = f'backbone.blocks.{b - 1}'
            _graph_conv(source, out, f'sgcn{b}.0', f'{target}.gcn')
            for unit, name in _UNITS.items():
                _temporal(source, out, unit.format(b), f'{target}.{name}')
            for i in range(2):  # windows of 3 and 5 frames
                g3d, name = f'gcn3d{b}.gcn3d.{i}', f'{target}.g3d.{i}'
                _graph_conv(source, out, f'{g3d}.gcn3d.1', f'{name}.conv')
                collapse = source.pop(f'{g3d}.out_conv.weight')
                out[f'{name}.collapse.weight'] = collapse[:, :, 0, :, 0].transpose(1, 2).flatten(1)
                out[f'{name}.collapse.bias'] = source.pop(f'{g3d}.out_conv.bias')
                _norm(source, out, [f'{g3d}.out_bn'], f'{name}.norm')
    except KeyError as missing:
        raise ValueError(
            f'the MS-G3D state dict lacks the entry {missing}: is it from the published network?'
        ) from None
    for name in ('weight', 'bias'):
        if f'fc.{name}' in source:
            out[f'cls_head.fc.{name}'] = source.pop(f'fc.{name}')
    # The layout determines the fixed matrices.
    left = [name for name in source if not re.search(r'(^|\.)(A|A_scales|A_powers)$', name)]
    if left:
        raise ValueError(
            f'the MS-G3D state dict has {len(left)} unknown entries, the first is {left[0]!r}'
        )
    return {name: value.contiguous() for name, value in out.items()}


def _norm(source, out, names, target) -> None:
    """Join several batch norms side by side into one."""
    for part in _NORM:
        out[f'{target}.{part}'] = torch.cat([source.pop(f'{name}.{part}') for name in names])
    counts = [source.pop(f'{name}.num_batches_tracked', None) for name in names]
    if counts[0] is not None:
        out[f'{target}.num_batches_tracked'] = counts[0]


def _graph_conv(source, out, name, target) -> None:
    weight = source.pop(f'{name}.mlp.layers.0.weight').flatten(1)
    if f'{name}.PA' in source:  # the project contracts the first index
        mask = source.pop(f'{name}.PA').transpose(1, 2)
    else:
        mask = source.pop(f'{name}.A_res')
        mask = mask.view(-1, mask.shape[1], mask.shape[1])
    scales = len(mask)
    out[f'{target}.mask'] = mask
    out[f'{target}.weight'] = weight.unflatten(1, (scales, -1)).transpose(0, 1)
    out[f'{target}.bias'] = source.pop(f'{name}.mlp.layers.0.bias')
    _norm(source, out, [f'{name}.mlp.layers.1'], f'{target}.norm')


def _temporal(source, out, name, target) -> None:
    branches = [f'{name}.branches.{i}' for i in range(6)]
    for part in ('weight', 'bias'):
        out[f'{target}.reduce.{part}'] = torch.cat(
            [source.pop(f'{branch}.0.{part}') for branch in branches[:5]]
        )
        out[f'{target}.point.{part}'] = source.pop(f'{branches[5]}.0.{part}')
    for linear in ('reduce', 'point'):
        weight = f'{target}.{linear}.weight'
        out[weight] = out[weight].flatten(1)
    _norm(source, out, [f'{branch}.1' for branch in branches[:5]], f'{target}.reduce_norm')
    convs = [branch + '.3' for branch in branches[:4]]
    out[f'{target}.conv_weight'] = torch.stack(
        [
            source.pop(f'{conv}.conv.weight').squeeze(3).permute(2, 1, 0).flatten(0, 1)
            for conv in convs
        ]
    )
    out[f'{target}.conv_bias'] = torch.stack([source.pop(f'{conv}.conv.bias') for conv in convs])
    _norm(
        source,
        out,
        [f'{conv}.bn' for conv in convs] + [f'{branches[4]}.4', f'{branches[5]}.1'],
        f'{target}.norm',
    )
    if f'{name}.residual.conv.weight' in source:
        out[f'{target}.residual.weight'] = source.pop(f'{name}.residual.conv.weight').flatten(1)
        out[f'{target}.residual.bias'] = source.pop(f'{name}.residual.conv.bias')
        _norm(source, out, [f'{name}.residual.bn'], f'{target}.residual_norm')
