"""Check that a checkpoint was trained on the kind of data in a config.

A checkpoint holds its config as text. It is read as data: names, numbers and
lists; nothing in it is run.
"""

import ast
import inspect
from typing import Any, Dict, List, NamedTuple, Optional

from mmaction.registry import TRANSFORMS

from stf_mmaction.datasets.class_names import plain_name
from stf_mmaction.datasets.layouts import get_layout

# Transforms that determine the meaning of the input, apart from streams.
PREPARATION = {
    'PrepareSkeleton',
    'PreNormalize2D',
    'PreNormalize3D',
    'JointToBone',
    'ToMotion',
    'MergeSkeFeat',
}
# Their arguments that are compared separately.
COMPARED = ('type', 'layout', 'stream')
# If one of these differs, a network computes nonsense; if others differ, it works less well.
# A config has some thousand characters; Python's parser takes long for millions.
MAX_TEXT = 10**6
REFUSED = ('stream', 'layout', 'graph', 'preparation')


class Difference(NamedTuple):
    """A difference between the data of a training and that of a config.

    Attributes:
        what (str): ``stream``, ``layout`` and so on.
        trained: Its value in the config of the checkpoint.
        given: Its value in the current config.
    """

    what: str
    trained: Any
    given: Any

    def __str__(self) -> str:
        return f'the {self.what} {self.trained!r}, the config gives it {self.given!r}'


def config_of(checkpoint: Dict) -> Dict:
    """Return the parts of the config in a checkpoint that can be read.

    Args:
        checkpoint (dict): Its ``meta`` may hold ``cfg``, as text.

    Returns:
        dict: Empty if there is none.
    """
    meta = checkpoint.get('meta')
    text = meta.get('cfg', meta.get('config_text')) if isinstance(meta, dict) else None
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return {}
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    out = {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            try:
                out[line.targets[0].id] = _literal(line.value)
            except (ValueError, TypeError, RecursionError):
                continue
    return out


def _literal(node: ast.AST) -> Any:
    """Evaluate a literal, which may also be ``dict(key=value)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        out = dict(_literal(node.args[0])) if node.args else {}
        for keyword in node.keywords:
            value = _literal(keyword.value)
            out.update(value if keyword.arg is None else {keyword.arg: value})
        return out
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_literal, node.values)))
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_literal(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)


def seen_by_network(cfg: Dict) -> List[Dict[str, Any]]:
    """Return what determines the input of a config's network in a test.

    Args:
        cfg (dict or mmengine.Config): Any config of skeletons.

    Returns:
        list[dict]: ``stream``, ``layout``, ``graph``, ``preparation``,
        ``frames`` and ``persons``, as far as known, for each part of the test
        data.
    """
    return [_seen(cfg, dataset) for dataset in data_sets_of(cfg)]


def _seen(cfg: Dict, dataset: Dict) -> Dict[str, Any]:
    steps = {}
    for step in dataset.get('pipeline') or cfg.get('test_pipeline') or ():
        if isinstance(step, dict) and isinstance(step.get('type'), str):
            steps.setdefault(step['type'].split('.')[-1], step)
    out = {}
    if 'SkeletonStream' in steps:
        stream = steps['SkeletonStream'].get('stream') or dataset.get('stream') or 'j'
        out['stream'] = _as_text(stream)
    elif 'GenSkeFeat' in steps:
        out['stream'] = _as_text(steps['GenSkeFeat'].get('feats', ['j']))
    for kind, key in (
        ('PrepareSkeleton', 'layout'),
        ('SkeletonStream', 'layout'),
        ('GenSkeFeat', 'dataset'),
    ):
        if key in steps.get(kind, {}):
            out.setdefault('layout', steps[kind][key])
    graph = _backbone(cfg.get('model') or {}).get('graph_cfg') or {}
    if 'layout' in graph:
        out['graph'] = graph['layout']
    if steps:
        kinds = sorted(PREPARATION & set(steps))
        out['preparation'] = ', '.join(_called(kind, steps[kind]) for kind in kinds) or 'none'
    for kind, key, name in (
        ('PadTo', 'length', 'frames'),
        ('UniformSampleFrames', 'clip_len', 'frames'),
        ('FormatGCNInput', 'num_person', 'persons'),
    ):
        if key in steps.get(kind, {}):
            out[name] = steps[kind][key]
    return out


def _called(kind: str, step: Dict) -> str:
    """Return the call of a transform, without its defaults."""
    known = TRANSFORMS.get(kind)
    defaults = inspect.signature(known).parameters if known else {}
    arguments = [
        f'{key}={_as_lists(value)!r}'
        for key, value in sorted(step.items())
        if key not in COMPARED
        and (key not in defaults or _as_lists(defaults[key].default) != _as_lists(value))
    ]
    return f'{kind}({", ".join(arguments)})' if arguments else kind


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def data_sets_of(cfg: Dict) -> List[Dict]:
    """Return the data sets of a config inside RepeatDataset, ConcatDataset and other wrappers.

    Args:
        cfg (dict or mmengine.Config): Its test data is used, or else its validation data, or
            else its training data.

    Returns:
        list[dict]: At least one, empty if there is none.
    """
    for loader in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        dataset = (cfg.get(loader) or {}).get('dataset')
        if isinstance(dataset, dict):
            return _parts(dataset)
    return [{}]


def _parts(dataset: Dict) -> List[Dict]:
    parts = dataset.get('datasets') or [dataset.get('dataset')]
    found = [leaf for part in parts if isinstance(part, dict) for leaf in _parts(part)]
    return found or [dataset]


def _backbone(model: Dict) -> Dict:
    members = model.get('members') or [{}]
    for part in (model, model.get('shared') or {}, members[0]):
        if part.get('backbone'):
            return part['backbone']
    return {}


def _as_text(stream: Any) -> str:
    return stream if isinstance(stream, str) else '+'.join(map(str, stream))


def differences(trained: Dict, given: Dict) -> List[Difference]:
    """Compare the inputs of networks, as far as both configs define them.

    Args:
        trained (dict): The config in a checkpoint, from :func:`config_of`.
        given (dict or mmengine.Config): The config to use it with.
    """
    before, now = _values(seen_by_network(trained)), _values(seen_by_network(given))
    found = []
    for what in before:
        new = [v for v in now.get(what, ()) if not any(_same(old, v) for old in before[what])]
        found += [Difference(what, before[what][0], value) for value in new[:1]]
    return found


def _values(parts: List[Dict[str, Any]]) -> Dict[str, List]:
    """Return what is seen of each kind, in any part."""
    out: Dict[str, List] = {}
    for part in parts:
        for what, value in part.items():
            out.setdefault(what, []).append(value)
    return out


def _same(one: Any, other: Any) -> bool:
    if one == other:
        return True
    skeletons = [_skeleton(value) for value in (one, other)]
    return None not in skeletons and skeletons[0] == skeletons[1]


def _skeleton(layout: Any) -> Optional[tuple]:
    """Return the parts of a layout, given by name, file or dict, that affect a network."""
    try:
        layout = get_layout(layout)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return layout.num_node, frozenset(layout.inward), layout.center, layout.height


def check_provenance(checkpoint: Dict, cfg: Dict, path: str, strict: bool = True) -> List[str]:
    """Refuse a checkpoint that was trained on other data.

    Args:
        checkpoint (dict): Contents of the file.
        cfg (dict or mmengine.Config): The config to use it with.
        path (str): Named in the error.
        strict (bool): Whether to raise, as in a test. Defaults to True.

    Returns:
        list[str]: Sentences on what differs and is not refused.

    Raises:
        ValueError: If stream, layout, graph or preparation differ.
    """
    said = []
    for difference in differences(config_of(checkpoint), cfg):
        if strict and difference.what in REFUSED:
            raise ValueError(
                f'{path} was trained on {difference}: use the config with which it was trained'
            )
        said.append(f'{path} was trained on {difference}')
    return said


def check_classes(trained: Dict, given: Dict, path: str, strict: bool = True) -> List[str]:
    """Refuse data with other classes than those of a checkpoint.

    Args:
        trained (dict): ``dataset_meta`` of the checkpoint.
        given (dict): ``metainfo`` of the data.
        path (str): Named in the error.
        strict (bool): Whether to raise, as in a test. Defaults to True.

    Returns:
        list[str]: A sentence, if they differ and are not refused.

    Raises:
        ValueError: If one class has another name.
    """
    before, now = (list(map(str, meta.get('classes') or ())) for meta in (trained, given))
    pairs = [
        (k, a, b) for k, (a, b) in enumerate(zip(before, now)) if plain_name(a) != plain_name(b)
    ]
    if not pairs:
        return []
    label, old, new = pairs[0]
    text = (
        f'class {label} is {old!r} in {path} and {new!r} in the data, '
        f'{len(pairs)} of {len(now)} names differ'
    )
    if strict:
        raise ValueError(f'{text}: test on data with the classes for which it was trained')
    return [text]
