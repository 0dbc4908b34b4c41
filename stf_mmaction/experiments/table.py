"""Read tables of experiments, and derive the config of each run."""

import copy
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from mmengine.config import Config

from stf_mmaction.datasets import safe_load
from stf_mmaction.engine.config_file import merge_options, read_config
from stf_mmaction.files import read_yaml
from stf_mmaction.locations import CONFIGS, ROOT, TOOLS

TABLES = TOOLS / 'experiments/tables'
LOADERS = ('train_dataloader', 'test_dataloader')
# Keys of a table, of one of its data sets, of a split and of one of its rows.
TABLE_KEYS = {'title', 'sets', 'seeds', 'against', 'rows'}
SET_KEYS = {'config', 'options', 'splits', 'seeds'}
SPLIT_KEYS = {'train', 'test', 'hold_out', 'only'}
ROW_KEYS = {'options', 'mean_of', 'about'}
# What determines a result, and with it the key of a run.
DECISIVE = (
    'model',
    'train_dataloader',
    'test_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
    'load_from',
    'randomness',
)


@dataclass(frozen=True)
class Run:
    """One training and its tests.

    Attributes:
        row (str): Name of the row.
        dataset (str): Name of the data set.
        split (str): Name of the split.
        seed (int): Random seed.
        config (mmengine.Config): Config of the training and the tests.
        key (str): Hash of the settings that determine the result.
        cut (dict): A field of the clips and its values, such as
            ``subject: [1]``, under ``hold_out``: these training clips are
            tested instead; or under ``only``: only these are trained on.
    """

    row: str
    dataset: str
    split: str
    seed: int
    config: Config = field(compare=False, repr=False)
    key: str
    cut: Dict[str, Dict[str, List]] = field(compare=False)

    def resolved(self) -> Config:
        """Return the config with the indices of the clips to use, read from the data."""
        cfg = copy.deepcopy(self.config)
        train, test = (cfg[loader]['dataset'] for loader in LOADERS)
        for kind, values in self.cut.items():
            chosen = having(train['ann_file'], train['split'], values)
            outside, inside = ([i for i, c in enumerate(chosen) if c is x] for x in (False, True))
            train['indices'] = outside if kind == 'hold_out' else inside
            if kind == 'hold_out':
                test['indices'] = inside
        return cfg


@dataclass(frozen=True)
class Mean:
    """Mean of the probabilities of several runs.

    Attributes:
        row, dataset, split, seed: As in :class:`Run`.
        members (tuple[Run]): The runs.
        key (str): Hash of the keys of the runs.
    """

    row: str
    dataset: str
    split: str
    seed: int
    members: Tuple[Run, ...] = field(compare=False, repr=False)
    key: str


class Table:
    """A table of experiments.

    Args:
        path (pathlib.Path): YAML; ``tools/experiments/README.md`` describes it.
        data_root (pathlib.Path, optional): Folder of the pickles. Defaults to
            None, the paths of the configs.

    Raises:
        ValueError: If the file is not a valid table, or names an unknown row or key.
    """

    def __init__(self, path: Path, data_root: Optional[Path] = None) -> None:
        self.path, self.data_root = path, data_root
        self.name = path.stem
        content = read_yaml(path)
        _check_keys(content, TABLE_KEYS, {'sets', 'seeds', 'against', 'rows'}, str(path))
        self.title = content.get('title', self.name)
        self.sets, self.rows = content['sets'], content['rows']
        self.seeds, self.against = content['seeds'], content['against']
        for key in ('sets', 'rows'):
            _check_keys(content[key], None, set(), f'{path}: {key!r}')
        _check_seeds(self.seeds, str(path))
        for name, entry in self.sets.items():
            _check_keys(entry, SET_KEYS, {'config', 'splits'}, f'{path}: set {name!r}')
            _check_seeds(entry.get('seeds', []), f'{path}: set {name!r}')
            _check_keys(entry['splits'], None, set(), f'{path}: splits of set {name!r}')
            for split, spec in entry['splits'].items():
                held_out = isinstance(spec, dict) and 'hold_out' in spec
                needed = {'hold_out'} if held_out else {'train', 'test'}
                _check_keys(spec, SPLIT_KEYS, needed, f'{path}: split {split!r} of set {name!r}')
        for name, entry in self.rows.items():
            _check_keys(entry or {}, ROW_KEYS, set(), f'{path}: row {name!r}')
            for member in (entry or {}).get('mean_of', ()):
                self._check_row(_member(member)[0], f'mean_of of row {name!r}')
        self._check_row(self.against, "'against'")

    def _check_row(self, name: str, where: str) -> None:
        if name not in self.rows:
            raise ValueError(
                f'{self.path}: {where} names the row {name!r}, which is not one of '
                f'{list(self.rows)}'
            )

    def cells(self) -> Iterator[Union[Run, Mean]]:
        """Yield all runs, seed by seed, and each mean after its members."""
        every = {*self.seeds, *(s for entry in self.sets.values() for s in entry.get('seeds', ()))}
        for seed in sorted(every):
            for dataset, entry in self.sets.items():
                if seed not in entry.get('seeds', self.seeds):
                    continue
                for split in entry['splits']:
                    for row in self.rows:
                        yield self.cell(row, dataset, split, seed)

    def cell(self, row: str, dataset: str, split: str, seed: int) -> Union[Run, Mean]:
        """Return the run or mean of a row for a data set, split and seed.

        Args:
            row (str): Name of the row.
            dataset (str): Name of the data set.
            split (str): Name of the split.
            seed (int): Random seed.
        """
        members = (self.rows[row] or {}).get('mean_of')
        if not members:
            return self._run(row, dataset, split, seed)
        parts = [_member(member) for member in members]
        runs = tuple(self._run(name, dataset, split, seed + offset) for name, offset in parts)
        return Mean(row, dataset, split, seed, runs, _hash([run.key for run in runs]))

    def _run(self, row: str, dataset: str, split: str, seed: int) -> Run:
        cfg = self._config(row, dataset, split)
        cfg.randomness = dict(seed=seed)
        whole = cfg.to_dict()
        content = {key: whole.get(key) for key in DECISIVE}
        for loader in LOADERS:
            data = content[loader]['dataset']
            data['ann_file'] = Path(data['ann_file']).name
        spec = self.sets[dataset]['splits'][split]
        cut = {kind: spec[kind] for kind in ('hold_out', 'only') if kind in spec}
        return Run(row, dataset, split, seed, cfg, _hash([content, cut]), cut)

    def _config(self, row: str, dataset: str, split: str) -> Config:
        entry = self.sets[dataset]
        cfg = copy.deepcopy(_read(entry['config']))
        for options in (entry.get('options'), (self.rows[row] or {}).get('options')):
            merge_options(cfg, _flat(options or {}))
        for loader in LOADERS:
            data = cfg[loader]['dataset']
            cfg[loader].update(num_workers=0, persistent_workers=False)
            data['ann_file'] = str(self._file(Path(data['ann_file'])))
        self._split(cfg, entry['splits'][split])
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        cfg.default_hooks = dict(checkpoint=None, logger=None, timer=None)
        cfg.log_level = 'ERROR'
        return cfg

    def _file(self, path: Path) -> Path:
        """Return a pickle in the data root; bundled clips need not be there."""
        own = ROOT / path
        given = self.data_root / path.name if self.data_root else own
        return given if given.is_file() or not own.is_file() else own

    @staticmethod
    def _split(cfg: Config, split: Dict) -> None:
        """Set the splits; held-out clips are taken from the training split."""
        train, test = (cfg[loader]['dataset'] for loader in LOADERS)
        if 'hold_out' in split:
            test['split'] = train['split']
        else:
            train['split'], test['split'] = split['train'], split['test']


def table_path(name: str) -> Path:
    """Return the file of a table.

    Args:
        name (str): Name in :data:`TABLES`, or a YAML file.

    Raises:
        ValueError: If there is no such table.
    """
    for path in (Path(name), TABLES / f'{name}.yml'):
        if path.is_file():
            return path
    known = sorted(p.stem for p in TABLES.glob('*.yml'))
    raise ValueError(f'table {name!r} is unknown: use a YAML file, or one of {known}')


def having(ann_file: str, split: str, values: Dict[str, List]) -> List[bool]:
    """Return which clips of a split have one of the given values in a field.

    Args:
        ann_file (str): Pickle of the clips.
        split (str): The split to cut.
        values (dict): A field of the clips, such as ``subject``, and its values.

    Returns:
        list[bool]: For each clip of the split, in the order of the file.

    Raises:
        ValueError: If no clip or every clip has one.
    """
    data = safe_load(Path(ann_file))
    names = set(data['split'][split])
    clips = [clip for clip in data['annotations'] if clip['frame_dir'] in names]
    ((name, wanted),) = values.items()
    chosen = [clip.get(name) in wanted for clip in clips]
    if all(chosen) or not any(chosen):
        raise ValueError(
            f'{values} takes {sum(chosen)} of the {len(chosen)} clips of split {split!r} of '
            f'{ann_file}: name values of {name!r} that some of them have'
        )
    return chosen


@cache
def _read(config: str) -> Config:
    path = ROOT / config
    return read_config(path if path.is_file() else CONFIGS / config.removeprefix('configs/'))


def _member(member: Union[str, List]) -> Tuple[str, int]:
    """Return the row and the offset of the seed, 0 if it is not given."""
    if isinstance(member, str):
        return member, 0
    if not isinstance(member, list) or [type(part) for part in member] != [str, int]:
        raise ValueError(f'mean_of holds {member!r:.80}: a row, or [row, offset], is needed')
    return member[0], member[1]


def _flat(options: Dict[str, Any]) -> Dict[str, Any]:
    """Return a copy of the options, with tuples where MMAction2 requires them."""
    own = copy.deepcopy(options)  # merging removes ``_delete_`` from what it is given
    return {key: tuple(v) if isinstance(v, list) and key.endswith('stages') else v
            for key, v in own.items()}  # fmt: skip


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_keys(entry: Any, known: Optional[set], needed: set, where: str) -> None:
    """Raise a ValueError unless an entry is a mapping of known keys, or of any if None."""
    if not isinstance(entry, dict) or not all(isinstance(key, str) for key in entry):
        of = f'of {sorted(known)}' if known else 'from names'
        raise ValueError(f'{where} is {entry!r:.80}: a mapping {of} is needed')
    unknown = set(entry) - (known or set(entry))
    for fault, keys in (('lacks', needed - set(entry)), ('has unknown', unknown)):
        if keys:
            raise ValueError(f'{where} {fault} {sorted(keys)}: it takes {sorted(known)}')


def _check_seeds(seeds: Any, where: str) -> None:
    if not isinstance(seeds, list) or not all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        raise ValueError(f"{where}: 'seeds' is {seeds!r:.80}: a list of whole numbers is needed")
