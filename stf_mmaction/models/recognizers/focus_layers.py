"""Find the two modules of any backbone that coherence compares."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from torch import Tensor, nn

from ..backbones.stages import split_persons

CONTAINERS = (nn.ModuleList, nn.ModuleDict)  # never run themselves
SHOWN = 8  # candidates in an error


def last_blocks(backbone: nn.Module) -> Tuple[str, ...]:
    """Return the names of the last two blocks of the last chain in a backbone.

    A chain is a ``ModuleList`` of several blocks: ``gcn`` in MMAction2's
    own backbones, ``net`` in its CTR-GCN project.

    Args:
        backbone (torch.nn.Module): Any.

    Returns:
        tuple[str]: Two names, or none if there is no chain.
    """
    chains = [
        (name, len(child))
        for name, child in backbone.named_children()
        if isinstance(child, nn.ModuleList) and len(child) > 1
    ]
    if not chains:
        return ()
    name, blocks = chains[-1]
    return f'{name}.{blocks - 2}', f'{name}.{blocks - 1}'


def candidates(backbone: nn.Module) -> List[str]:
    """Return the modules of a backbone that ``focus_layers`` could name.

    Args:
        backbone (torch.nn.Module): Any.
    """
    return [
        name
        for name, module in backbone.named_modules()
        if name and name.count('.') <= 1 and not isinstance(module, CONTAINERS)
    ][-SHOWN:]


def check_layers(backbone: nn.Module, names: Sequence[str]) -> Tuple[str, ...]:
    """Return two names of modules, as a tuple.

    Args:
        backbone (torch.nn.Module): Any.
        names (Sequence[str]): As in ``backbone.named_modules()``.

    Raises:
        ValueError: If these are not two modules that run.
    """
    modules = dict(backbone.named_modules())
    names = (names,) if isinstance(names, str) else tuple(names)
    if len(set(names)) != 2 or len(names) != 2 or any(name not in modules for name in names):
        raise ValueError(
            f'focus_layers={names} must name two modules of '
            f'{type(backbone).__name__}, the lower one first; among them are '
            f'{candidates(backbone)}'
        )
    for name in names:
        if isinstance(modules[name], CONTAINERS):
            raise _refusal(backbone, name, 'is a list that never runs itself')
    return names


def choose_layers(
    backbone: nn.Module, head: nn.Module, names: Optional[Sequence[str]]
) -> Tuple[str, ...]:
    """Return the names of the modules that a recognizer watches; empty if it needs none.

    Args:
        backbone (torch.nn.Module): Any; one with ``forward_stages`` names its own
            modules.
        head (torch.nn.Module): Needs two modules if it has ``loss_coherence``.
        names (Sequence[str], optional): As in a config. None means the last two blocks.

    Raises:
        ValueError: If these are not two modules that run, or the backbone names its own.
    """
    knows = hasattr(backbone, 'forward_stages')
    if names is not None and knows:
        raise ValueError(
            f'{type(backbone).__name__} names its last two modules itself: leave '
            f'focus_layers={tuple(names)} out'
        )
    if names is not None:
        return check_layers(backbone, names)
    needed = getattr(head, 'loss_coherence', None) is not None
    return last_blocks(backbone) if needed and not knows else ()


def watched_features(
    backbone: nn.Module, names: Sequence[str], clips: Tensor
) -> Tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
    """Run a backbone and keep the outputs of two of its modules.

    Args:
        backbone (torch.nn.Module): From (N, M, T, V, C) to
            (N, M, C', T', V).
        names (Sequence[str]): Names of the two modules; may be empty.
        clips (torch.Tensor): Shape (N, M, T, V, C).

    Returns:
        tuple: The features; the outputs of the lower and of the last module,
        from which they are computed, each (N, M, C', T', V), or None. The last
        is also None if it equals the features.

    Raises:
        ValueError: If a module does not run, returns something else, or is
            followed by one that changes its output in place.
    """
    lead = clips.shape[:2]
    seen: Dict[str, Tensor] = {}
    versions: Dict[str, int] = {}

    def keep(name: str):

        def hook(_, __, output):
            shape = getattr(output, 'shape', ())
            if len(shape) == 4 and shape[0] == lead.numel():
                seen[name], output = split_persons(output, lead)
            elif len(shape) == 5 and shape[:2] == lead:
                seen[name] = output
            else:
                raise _shapeless(backbone, name, output)
            versions[name] = seen[name]._version
            return output

        return hook

    handles = [backbone.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        feats = backbone(clips)
    finally:
        for handle in handles:
            handle.remove()
    for name in names:
        if name not in seen:
            raise _refusal(backbone, name, 'never runs')
        if seen[name].shape[-1] != feats.shape[-1]:
            raise _shapeless(backbone, name, seen[name])
        if seen[name]._version != versions[name]:
            raise ValueError(
                f'focus_layers: the output of {name!r} of '
                f'{type(backbone).__name__} is changed in place by a later module: name that '
                'module (a ReLU, for example), or set inplace=False in it'
            )
    lower, last = (seen[name] for name in names) if names else (None, None)
    if last is not None and _same_memory(last, feats):
        last = None
    return feats, lower, last


def _shapeless(backbone: nn.Module, name: str, output: Any) -> ValueError:
    given = (
        f'shape {tuple(output.shape)}'
        if isinstance(output, Tensor)
        else f'a {type(output).__name__}'
    )
    return _refusal(
        backbone,
        name,
        f'returns {given}, not one tensor of shape (N M, C\', T\', V) or (N, M, C\', T\', V)',
    )


def _refusal(backbone: nn.Module, name: str, fault: str) -> ValueError:
    return ValueError(
        f'focus_layers: {name!r} of {type(backbone).__name__} {fault}; name '
        f'two that fit, the lower one first, among {candidates(backbone)}'
    )


def _same_memory(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.data_ptr() == b.data_ptr()
