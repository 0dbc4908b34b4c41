"""Base of the backbones with STF modules."""

from numbers import Integral
from typing import Any, Dict, Tuple

from torch import nn

from ..layers import InferredGraph
from .stf_units import STFUnit


def check_stages(stf_stages: Any, count: int) -> Tuple[int, ...]:
    """Return the numbers of the STF modules that are on.

    Args:
        stf_stages (Any): As in a config: their numbers, from 1, in the order in which data
            passes through them; None for all of them.
        count (int): Number of possible modules.

    Raises:
        ValueError: If these are not numbers from 1 to ``count``.
    """
    if stf_stages is None:
        return tuple(range(1, count + 1))
    if not isinstance(stf_stages, (tuple, list, range)) or not all(
        isinstance(stage, Integral) for stage in stf_stages
    ):
        raise ValueError(
            f'stf_stages={stf_stages!r} is not a tuple of STF modules: use numbers from 1 to '
            f'{count}, such as ({count}, )'
        )
    unknown = sorted(set(stf_stages) - set(range(1, count + 1)))
    if unknown:
        raise ValueError(
            f'stf_stages={tuple(stf_stages)} names modules {unknown}, which do not exist: use '
            f'numbers from 1 to {count}'
        )
    return tuple(stf_stages)


class STFBackbone:
    """Mixin that counts, switches off and names the STF modules of a backbone."""

    _stf_enabled = True

    @property
    def num_stf_modules(self) -> int:
        """int: Number of STF modules; each infers one graph."""
        return sum(isinstance(module, InferredGraph) for module in self.modules())

    @property
    def stf_enabled(self) -> bool:
        """bool: Set to False to compute (and train) the plain backbone. Defaults to True."""
        return self._stf_enabled

    @stf_enabled.setter
    def stf_enabled(self, enabled: bool) -> None:
        self._stf_enabled = enabled
        for module in self.modules():
            if isinstance(module, STFUnit):
                module.stf_enabled = enabled

    def stf_parameters(self) -> Dict[str, nn.Parameter]:
        """Return the parameters that the plain backbone does not have, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if '.stf_' in name}
