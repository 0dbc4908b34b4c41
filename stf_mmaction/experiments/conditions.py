"""Hide parts of test clips, the same for every run."""

import zlib
from typing import Dict, List, Tuple, Union

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from stf_mmaction.datasets import Layout, get_layout

# The amount of each condition: the share of hidden joints or frames, the number of hidden limbs,
# or the standard deviation of the noise in body heights.
CONDITIONS: Dict[str, float] = dict(joints=0.3, limb=1, frames=0.5, noise=0.05)


@TRANSFORMS.register_module()
class HideForTest(BaseTransform):
    """Hide parts of a clip, chosen by the condition and the id of the clip alone.

    Place it after :class:`PrepareSkeleton` and before :class:`SkeletonStream`.
    All persons of a clip lose the same parts.

    Required keys: keypoint (M, T, V, C), visibility (M, T, V), frame_dir.

    Args:
        layout (str or dict): See :func:`get_layout`.
        condition (str): ``joints`` hides some joints in all frames;
            ``limb`` a chain of joints from a tip to the next fork;
            ``frames`` everybody in consecutive frames; ``noise`` adds Gaussian
            noise to all coordinates.
        amount (float): See :data:`CONDITIONS`.

    Raises:
        ValueError: If the condition is unknown.
    """

    def __init__(self, layout: Union[str, Dict], condition: str, amount: float) -> None:
        if condition not in CONDITIONS:
            raise ValueError(f'condition {condition!r} is unknown: use one of {list(CONDITIONS)}')
        self.limbs = limbs(get_layout(layout))
        self.condition, self.amount = condition, amount

    def transform(self, results: Dict) -> Dict:
        """Hide parts of one clip.

        Args:
            results (dict): The clip, with the required keys.

        Returns:
            dict: The clip, with changed keypoint and visibility.
        """
        seed = zlib.crc32(f"{self.condition} {results['frame_dir']}".encode())
        rng = np.random.RandomState(seed)
        points, visible = results['keypoint'].copy(), results['visibility'].copy()
        if self.condition == 'noise':
            noise = rng.normal(0, self.amount, points.shape)
            points += noise.astype(points.dtype) * (visible > 0)[..., None]
        else:
            hidden = self._hidden(rng, *visible.shape[1:])
            points[:, hidden], visible[:, hidden] = 0, 0
        results['keypoint'], results['visibility'] = points, visible
        return results

    def _hidden(self, rng: np.random.RandomState, frames: int, joints: int) -> np.ndarray:
        """Return which joints are hidden in which frames, boolean (T, V)."""
        hidden = np.zeros((frames, joints), bool)
        if self.condition == 'joints':
            hidden[:, rng.permutation(joints)[: round(self.amount * joints)]] = True
        elif self.condition == 'limb':
            hidden[:, self.limbs[rng.randint(len(self.limbs))]] = True
        else:
            length = int(self.amount * frames)  # 0 for a single frame
            start = rng.randint(frames - length + 1)
            hidden[start : start + length] = True
        return hidden


def limbs(layout: Layout) -> List[Tuple[int, ...]]:
    """Return the chains of joints from each tip of a skeleton to the next fork.

    Args:
        layout (Layout): A tree.

    Returns:
        list[tuple[int]]: Joints of each chain, the tip first.
    """
    parents = layout.parents
    children = [sum(p == j for i, p in enumerate(parents) if i != j) for j in range(len(parents))]
    chains = []
    for tip in (j for j, count in enumerate(children) if not count):
        chain, joint = [tip], parents[tip]
        while children[joint] == 1 and parents[joint] != joint:
            chain.append(joint)
            joint = parents[joint]
        chains.append(tuple(chain))
    return chains


def with_condition(pipeline: List[Dict], condition: str) -> List[Dict]:
    """Return a test pipeline that hides parts of each clip.

    Args:
        pipeline (list[dict]): Configs of its transforms, including ``SkeletonStream``.
        condition (str): A key of :data:`CONDITIONS`, or ``clean``, which hides nothing.
    """
    if condition == 'clean':
        return pipeline
    kinds = [step['type'] for step in pipeline]
    place = kinds.index('SkeletonStream')
    hide = dict(
        type='HideForTest',
        layout=pipeline[place]['layout'],
        condition=condition,
        amount=CONDITIONS[condition],
    )
    return [*pipeline[:place], hide, *pipeline[place:]]
