"""Compute means, deviations and paired differences of result lines."""

from statistics import mean, stdev
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from scipy import stats

CONFIDENCE = 0.95
FEWEST = 3  # values for an interval; from two values it is too wide to be of use
# Seed -> split -> value.
Values = Dict[int, Dict[str, float]]


class Estimate(NamedTuple):
    """A mean over pairs or runs.

    Attributes:
        mean (float): In the unit of the values.
        sd (float, optional): Standard deviation (n - 1); None for one value.
        low, high (float, optional): Ends of the 95 % interval of Student's t;
            None for fewer than three values.
        count (int): n.
    """

    mean: float
    sd: Optional[float]
    low: Optional[float]
    high: Optional[float]
    count: int


def estimate(values: Sequence[float]) -> Estimate:
    """Estimate a mean from independent values.

    Args:
        values (Sequence[float]): At least one.
    """
    center, spread = mean(values), stdev(values) if len(values) > 1 else None
    if len(values) < FEWEST:
        return Estimate(center, spread, None, None, len(values))
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * spread / len(values) ** 0.5
    return Estimate(center, spread, center - reach, center + reach, len(values))


def values_of(lines: Sequence[Dict[str, Any]], row: str, dataset: str, measure: str) -> Values:
    """Collect a measure of a row.

    Args:
        lines (Sequence[dict]): Lines of a results file.
        row (str): Name of the row.
        dataset (str): Name of the data set.
        measure (str): A condition (top-1 in %), a measure of the focus, or
            another number of the line, such as ``ece``.

    Returns:
        dict[int, dict[str, float]]: Seed to split to value.
    """
    values: Values = {}
    for line in lines:
        if (line['row'], line['set']) != (row, dataset):
            continue
        known = {**line, **line['top1'], **line.get('focus', {})}
        if known.get(measure) is not None:
            values.setdefault(line['seed'], {})[line['split']] = known[measure]
    return values


def units(values: Values, splits: Sequence[str]) -> Dict[Any, float]:
    """Return the values that count as independent.

    With several seeds, there is one value per seed, the mean over all splits: splits share
    training clips, so they are not independent. With one seed, there is one value per split.

    Args:
        values (dict): From :func:`values_of`.
        splits (Sequence[str]): All splits of the data set.

    Returns:
        dict: Values by seed, for seeds with all splits; or by split.
    """
    if len(values) == 1:
        (only,) = values.values()
        return dict(only)
    whole = {seed: own for seed, own in values.items() if set(splits) <= set(own)}
    return {seed: mean(own[split] for split in splits) for seed, own in whole.items()}


def difference(ours: Values, theirs: Values, splits: Sequence[str]) -> Optional[Estimate]:
    """Estimate the paired difference of two rows.

    Args:
        ours, theirs (dict): From :func:`values_of`.
        splits (Sequence[str]): All splits of the data set.

    Returns:
        Estimate, optional: Ours minus theirs; None if no runs share a seed and a split.
    """
    common = {
        seed: {split: ours[seed][split] - theirs[seed][split] for split in both}
        for seed in ours
        if seed in theirs and (both := sorted(set(ours[seed]) & set(theirs[seed])))
    }
    pairs: List[float] = list(units(common, splits).values()) if common else []
    return estimate(pairs) if pairs else None
