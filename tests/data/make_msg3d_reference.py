"""Make msg3d_reference.json again, from the published networks themselves.

    git clone https://github.com/kenziyuliu/MS-G3D
    git clone --branch v1.2.0 https://github.com/open-mmlab/mmaction2
    PYTHONPATH=.:tests python tests/data/make_msg3d_reference.py MS-G3D mmaction2

The sources: MS-G3D with ``model/`` as of commit 4088e9692592a735ff9934063a524a4f442c5d18, and
``projects/msg3d`` of MMAction2 1.2.0. Neither is part of this package. Weights and inputs follow
from the formula in ``helpers/oracle.py``, rounded to single precision; the networks compute in
double. The command prints how far each case is from the stored one and writes nothing without
``--out``. That is about 1e-12 where NumPy takes single-precision roots as it did for the stored
numbers (see ``_published_root`` in ``models/layers/graph.py``), else up to 2e-5 in a gradient.
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from helpers.oracle import REFERENCE, inputs, noise, published_weight
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import stf_mmaction  # noqa: F401  (lets the wheel of MMAction2 be imported)

SETTINGS = ('num_class', 'num_point', 'num_gcn_scales', 'num_g3d_scales', 'graph')
UNITS = ('tcn1', 'tcn2', 'tcn3')
EVERY = dict(kinetics=20)  # the gradients that are kept, to keep the file small


def original(case):
    """The network of kenziyuliu/MS-G3D, and its input (N, C, T, V, M)."""
    from model.msg3d import Model

    values = REFERENCE[case]
    import_module(values['graph'].rpartition('.')[0])  # the network looks it up by name
    net = Model(num_person=2, **{key: values[key] for key in SETTINGS})
    return net, noise(f'input/{case}', (values['N'], 3, values['T'], values['num_point'], 2))


def project(case):
    """The network of MMAction2's project, and its input (N, M, T, V, C)."""
    import models.msg3d  # noqa: F401  (registers it)

    values = REFERENCE[case]
    scales = {key: values[key] for key in ('num_gcn_scales', 'num_g3d_scales')}
    graph_cfg = dict(layout=values['layout'], mode='binary_adj')
    net = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=dict(type='MSG3D', graph_cfg=graph_cfg, **scales),
            cls_head=dict(type='GCNHead', num_classes=values['num_class'], in_channels=384),
        )
    )
    net.forward = lambda x: net.cls_head(net.backbone(x))
    return net, inputs(case)


def load_formula(net):
    """Fill a network by the formula; fixed matrices, the entries named A, stay as they are."""
    state = {
        name: value if name.split('.')[-1] == 'A' else published_weight(name, tuple(value.shape))
        for name, value in net.state_dict().items()
    }
    net.load_state_dict(state)


def summary(feature):
    """Shape and four numbers of a feature, (N M, C, T', V)."""
    return dict(
        shape=list(feature.shape),
        mean=feature.mean().item(),
        std=feature.std().item(),
        first=feature.flatten()[:4].tolist(),
    )


def reference(case, net, x):
    """What a network computes, in evaluation mode and then in one step of training."""
    load_formula(net)
    net.double().eval()
    features = {}
    if case != 'mmaction2_ntu':
        for name in UNITS:

            def keep(_, __, out, name=name) -> None:
                features.setdefault(name, summary(out))  # of the first pass

            net.get_submodule(name).register_forward_hook(keep)
    with torch.no_grad():
        out = dict(REFERENCE[case], eval_logits=net(x).tolist())
    if features:
        out['eval_features'] = features
    logits = net.train()(x)
    loss = F.cross_entropy(logits, torch.tensor(out['labels']))
    loss.backward()
    norms = {name: p.grad.norm().item() for name, p in net.named_parameters()}
    kept = list(norms)[:: EVERY.get(case, 1)]
    shapes = {name: list(value.shape) for name, value in net.state_dict().items()}
    return out | dict(
        train_loss=loss.item(),
        train_logits=logits.tolist(),
        grad_norms={name: norms[name] for name in kept},
        params=sum(p.numel() for p in net.parameters()),
        state_shapes=None if case == 'kinetics' else shapes,
    )


def largest_difference(a, b):
    """Of all numbers in two values of one form, which must be alike but for these."""
    if isinstance(a, dict):
        assert list(a) == list(b), (list(a), list(b))
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list):
        assert len(a) == len(b)
        return max(map(largest_difference, a, b), default=0)
    if isinstance(a, float):
        return abs(a - b)
    assert a == b, (a, b)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('msg3d', type=Path, help='folder of kenziyuliu/MS-G3D')
    parser.add_argument('mmaction2', type=Path, help='folder of open-mmlab/mmaction2')
    parser.add_argument('--out', type=Path, help='file to write')
    args = parser.parse_args()
    sys.path[:0] = [str(args.msg3d), str(args.mmaction2 / 'projects/msg3d')]
    init_default_scope('mmaction')
    made = {}
    for case in REFERENCE:
        net, x = (project if case == 'mmaction2_ntu' else original)(case)
        made[case] = reference(case, net, x)
        print(f'{case}: within {largest_difference(made[case], REFERENCE[case]):.1e}')
    if args.out:
        args.out.write_text(json.dumps(made, separators=(',', ':')))


if __name__ == '__main__':
    main()
