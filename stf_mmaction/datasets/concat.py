"""Several data sets as one, with one list of class names."""

from typing import Dict, List, Sequence, Tuple, Union

from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, ConcatDataset

from .class_names import plain_name


@DATASETS.register_module(name='ConcatDataset')
class SkeletonConcatDataset(ConcatDataset):
    """MMEngine's ``ConcatDataset``, but some parts may have no class names.

    MMEngine refuses parts unless all have the same names. Here, the parts that
    have names must agree on each class, and the longest list is used, so that
    clips of NTU RGB+D 60 and 120 can be combined.

    Args:
        datasets (Sequence[BaseDataset | dict]): The parts.
        lazy_init (bool): As in MMEngine. Defaults to False.
        ignore_keys (str or Sequence[str]): Entries of ``metainfo`` that may
            differ. Defaults to ``()``.

    Raises:
        ValueError: If a class has different names in two parts.
    """

    def __init__(
        self,
        datasets: Sequence[Union[BaseDataset, Dict]],
        lazy_init: bool = False,
        ignore_keys: Union[str, Sequence[str]] = (),
    ) -> None:
        keys = [ignore_keys] if isinstance(ignore_keys, str) else list(ignore_keys or ())
        super().__init__(datasets, lazy_init, [*keys, 'classes'])
        names = () if 'classes' in keys else _agreed_names(self.datasets)
        if names:
            self._metainfo = dict(self._metainfo, classes=names)

    def get_cat_ids(self, idx: int) -> List[int]:
        """Get the classes of a clip, for MMEngine's ``ClassBalancedDataset``."""
        part, place = self._get_ori_dataset_idx(idx)
        return self.datasets[part].get_cat_ids(place)


def _agreed_names(parts: Sequence[BaseDataset]) -> Tuple[str, ...]:
    """Return the longest list of class names of the parts, or refuse them."""
    longest, source = (), ''
    for part in parts:
        names = tuple(map(str, part.metainfo.get('classes') or ()))
        file = str(getattr(part, 'ann_file', type(part).__name__))
        for label, (one, other) in enumerate(zip(longest, names)):
            if plain_name(one) != plain_name(other):
                raise ValueError(
                    f'ConcatDataset: class {label} is {one!r} in {source} and {other!r} in '
                    f'{file}: number the classes in all parts in the same way, or write labels as '
                    'names and give all parts the same metainfo=dict(classes=[...])'
                )
        if len(names) > len(longest):
            longest, source = names, file
    return longest
