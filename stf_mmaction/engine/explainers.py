"""Importance maps of a network: its focus, and those of other methods.

Each is a function of a network, its inputs (N, M, T, V, C), the explained classes (N,) and inputs
without information, which expand to that shape, and returns a map (N, M, T, V).
"""

from typing import Callable, Dict, Optional

import torch
from torch import Tensor, nn

from stf_mmaction.focus import min_max, present_persons, resize_focus

Explainer = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
IG_STEPS = 16


def focus(model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor) -> Tensor:
    """Return the focus (N, M, T, V), Eq. (2), of the network itself."""
    return model.focus(inputs, classes[:, None])['focus'][:, 0]


def random(model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor) -> Tensor:
    """Return noise (N, M, T, V), as a lower bound for other maps."""
    return torch.rand(inputs.shape[:-1]).to(inputs)


def motion(model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor) -> Tensor:
    """Return motion energy (N, M, T, V): the squared speed of each joint, whatever the network."""
    steps = inputs[..., :-1].diff(dim=2).square().sum(-1)
    return torch.cat([steps, steps[:, :, -1:]], 2) if steps.shape[2] else inputs[..., 0] * 0


def integrated_gradients(
    model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor
) -> Tensor:
    """Return integrated gradients (Sundararajan et al., 2017), (N, M, T, V), by captum."""
    captum = _needed('captum.attr', 'captum')
    method = captum.IntegratedGradients(_Logits(model))
    found = method.attribute(
        inputs,
        baselines=reference.expand_as(inputs),
        target=classes,
        n_steps=IG_STEPS,
        internal_batch_size=max(len(inputs), 2),
    )
    return found.sum(-1)


def grad_cam(model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor) -> Tensor:
    """Return Grad-CAM (Selvaraju et al., 2017) of the last module, (N, M, T, V)."""
    return _cam('GradCAM', model, inputs, classes)


def layer_cam(model: nn.Module, inputs: Tensor, classes: Tensor, reference: Tensor) -> Tensor:
    """Return LayerCAM (Jiang et al., 2021) of the last module, (N, M, T, V)."""
    return _cam('LayerCAM', model, inputs, classes)


EXPLAINERS: Dict[str, Explainer] = {
    kind.__name__: kind
    for kind in (focus, random, motion, grad_cam, layer_cam, integrated_gradients)
}


def explain_with(model: nn.Module, name: str) -> None:
    """Make a model return another map in place of its focus, for drawing and writing.

    The positive part of the map is scaled to [0, 1] as the focus is. In a clip without
    information, each joint stands still at its mean position.

    Args:
        model (nn.Module): ``STFRecognizer`` or ``STFEnsemble``; its ``focus`` is replaced.
        name (str): Key of ``EXPLAINERS``.
    """
    own_focus = model.focus
    members = model.members if hasattr(model, 'members') else {'': model}

    def focus(inputs: Tensor, classes: Optional[Tensor] = None) -> Dict[str, Tensor]:
        found = own_focus(inputs, classes)
        maps = []
        for member_name, member in members.items():
            seen = model.stream_of(member_name, inputs) if member_name else inputs
            still = seen.mean(2, keepdim=True)
            with torch.enable_grad():
                raw = [EXPLAINERS[name](member, seen, y, still) for y in found['classes'].T]
            maps.append(min_max(torch.stack(raw, 1).detach().relu(), present_persons(seen)))
        return dict(found, focus=torch.stack(maps).mean(0))

    model.focus = focus
    model.map_name = name.replace('_', ' ')


def _needed(module: str, package: str):
    """Return a module of a package that only this comparison needs."""
    try:
        return __import__(module, fromlist=['*'])
    except ImportError as error:
        raise ValueError(
            f'{package} cannot be imported ({error}): run "pip install {package}" (extra '
            '"analysis"), or leave the methods that need it out of --methods'
        ) from error


class _Logits(nn.Module):
    """The scores before the softmax, (N, M, T, V, C) -> (N, K)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model.cls_head.scores(self.model.backbone(inputs))


class _Pictures(nn.Module):
    """The network as an image classifier: (N, C, M T, V) -> (N, K), with features of that shape."""

    def __init__(self, model: nn.Module, persons: int) -> None:
        super().__init__()
        self.model, self.persons = model, persons
        self.features = nn.Identity()

    def forward(self, pictures: Tensor) -> Tensor:
        clips = pictures.unflatten(2, (self.persons, -1)).permute(0, 2, 3, 4, 1)
        found = self.model.backbone(clips.contiguous())  # (N, M, C', T', V)
        seen = self.features(found.transpose(1, 2).flatten(2, 3))
        self.size = (seen.shape[3], seen.shape[2])
        folded = seen.unflatten(2, (self.persons, -1)).transpose(1, 2)
        return self.model.cls_head.scores(folded)


def _cam(kind: str, model: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    package = _needed('pytorch_grad_cam', 'grad-cam')
    targets = _needed('pytorch_grad_cam.utils.model_targets', 'grad-cam')
    persons, frames = inputs.shape[1:3]
    network = _Pictures(model, persons)
    pictures = inputs.permute(0, 4, 1, 2, 3).flatten(2, 3)
    with getattr(package, kind)(model=network, target_layers=[network.features]) as cam:
        # At the resolution of the features; resized for each person, as the focus is.
        cam.get_target_width_height = lambda _: network.size
        found = cam(pictures, [targets.ClassifierOutputTarget(int(y)) for y in classes])
    maps = torch.from_numpy(found).to(inputs).unflatten(1, (persons, -1))
    return resize_focus(maps, frames)
