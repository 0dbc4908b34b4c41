"""The losses of a whole network, slowly, by their definition."""

import torch
from torch import nn

from helpers.networks import total

WEIGHTS = dict(exploration=0.01, divergence=0.1, coherence=0.1, adjacency=0.01)


def slow_min_max(raw, present):
    out = torch.zeros_like(raw)
    for n in range(len(raw)):
        values = raw[n][present[n]]
        if len(values) and values.max() > values.min():
            scaled = (raw[n] - values.min()) / (values.max() - values.min())
            out[n] = scaled * present[n][:, None, None]
    return out


def resize(maps, frames):
    """(N, M, T, V) -> (N, M, frames, V), linear in time."""
    flat = maps.flatten(0, 1).transpose(1, 2)
    flat = nn.functional.interpolate(flat, frames, mode='linear', align_corners=False)
    return flat.transpose(1, 2).unflatten(0, maps.shape[:2])


def own_stages(backbone, clips):
    """The two last modules, what the head reads, and the embeddings."""
    stages = backbone.forward_stages(clips)
    return (*stages.features[-2:], stages.features[-1], stages.embeddings)


def watched_stages(backbone, clips, layers):
    """The same of a backbone that knows nothing of STF."""
    seen = []

    def keep(_, __, output):
        seen.append(output.unflatten(0, clips.shape[:2]))
        return seen[-1].flatten(0, 1)

    handles = [backbone.get_submodule(name).register_forward_hook(keep) for name in layers]
    feats = backbone(clips)
    for handle in handles:
        handle.remove()
    return (*seen, feats, ())


def slow_losses(model, x, labels, stages=own_stages):
    """Eq. (2) to (6) by autograd from p_y, one class and clip at a time."""
    head = model.cls_head
    clips = x.flatten(0, 1)
    present = clips.flatten(2).ne(0).any(2)
    lower, last, feats, embeddings = stages(model.backbone, clips)
    logits = head.fc(feats.mean((1, 3, 4)))
    p = logits.softmax(1)
    order = logits.argsort(1, descending=True)

    def focus(feature, rank):
        chosen = p.gather(1, order[:, rank : rank + 1]).sum()
        (grad,) = torch.autograd.grad(chosen, feature, create_graph=True)
        a = grad.mean((1, 3, 4))
        raw = torch.stack(
            [sum(a[n, c] * feature[n, :, c] for c in range(a.shape[1])) for n in range(len(a))]
        ).relu()
        return slow_min_max(raw, present)

    def norm(maps):
        return torch.stack([(m**2).sum() ** 0.5 for m in maps]).mean()

    first, second = focus(feats, 0), focus(feats, 1)
    mask = present[:, :, None, None]
    out = dict(loss_cls=nn.functional.cross_entropy(logits, labels))
    out['loss_divergence'] = -norm(first - second)
    out['loss_coherence'] = norm(resize(focus(lower, 0), last.shape[3]) - focus(last, 0))
    if embeddings:
        out['loss_adjacency'] = sum(
            norm(resize(first, e.shape[2]).detach() - e * mask) for e in embeddings
        ) / len(embeddings)
    masked = clips * (1 - resize(first, clips.shape[2]).unsqueeze(-1))
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.momentum = 0.0  # as a second way to freeze
    scores = head.fc(model.backbone(masked).mean((1, 3, 4)))
    out['loss_exploration'] = scores.softmax(1).gather(1, order[:, :1]).mean()
    return {key: WEIGHTS.get(key[5:], 1) * value for key, value in out.items()}


def compare(model, x, samples, stages=own_stages):
    """Losses and their gradients against the slow definition."""
    losses = model(x, samples, mode='loss')
    labels = torch.cat([s.gt_label for s in samples])
    expected = slow_losses(model, x, labels, stages)
    parameters = dict(model.named_parameters())
    for key in [k for k in losses if k.startswith('loss')]:
        torch.testing.assert_close(losses[key], expected[key], rtol=1e-9, atol=1e-12)
        ours, theirs = (
            torch.autograd.grad(loss, parameters.values(), retain_graph=True, allow_unused=True)
            for loss in (losses[key], expected[key])
        )
        for name, a, b in zip(parameters, ours, theirs):
            assert (a is None) == (b is None), (key, name)
            if a is not None:
                torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9, msg=f'{key} {name}')
    total(losses).backward()
    assert [n for n, p in parameters.items() if p.grad is None] == []
