"""Compute the accuracy of an ensemble and its members; write dumps with class names."""

import pickle
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from mmengine.evaluator import DumpResults

from stf_mmaction.datasets.class_names import find_class_names
from stf_mmaction.files import check_writable, replacing


@METRICS.register_module()
class MemberAccMetric(AccMetric):
    """``AccMetric`` that adds ``<member>_top1`` and so on.

    Without members, as in the warm-up of an :class:`STFEnsemble`, it is an
    ``AccMetric``.
    """

    def process(self, data_batch: Sequence[Tuple[Any, Dict]], data_samples: Sequence[Dict]) -> None:
        """Keep the scores of a batch.

        Args:
            data_batch (Sequence[dict]): Not used.
            data_samples (Sequence[dict]): With ``pred_score``, ``gt_label``
                and optionally ``member_scores``.
        """
        first = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[first:], data_samples):
            members = sample.get('member_scores') or {}
            result['members'] = {name: score.cpu().numpy() for name, score in members.items()}

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Compute the accuracies over all results.

        Args:
            results (list[dict]): From :meth:`process`, of all processes.
        """
        metrics = super().compute_metrics(results)
        labels = [result['label'] for result in results]
        names = list(results[0]['members'])
        for name in names if len(names) > 1 else ():
            own = self.calculate([r['members'][name] for r in results], labels)
            metrics.update({f'{name}_{key}': v for key, v in own.items()})
        return metrics


@METRICS.register_module(name='DumpResults')
class WholeDumpResults(DumpResults):
    """MMEngine's ``DumpResults``, whose file is complete or absent.

    Raises:
        OSError: Immediately, if the file cannot be written.
    """

    def __init__(self, out_file_path: str, **kwargs) -> None:
        super().__init__(out_file_path, **kwargs)
        check_writable(out_file_path)

    def compute_metrics(self, results: List[Dict]) -> Dict[str, float]:
        """Write the file.

        Args:
            results (list[dict]): Results of all clips.
        """
        with replacing(self.out_file_path) as partial, partial.open('wb') as file:
            pickle.dump(results, file)
        return {}


@METRICS.register_module()
class DumpScores(WholeDumpResults):
    """``DumpResults`` that adds the names of the classes.

    Every sample gets ``classes``, an array of text, shape (K,), if the data or
    the checkpoint names all of them. The file contains it once.
    """

    def compute_metrics(self, results: List[Dict]) -> Dict:
        """Write the file.

        Args:
            results (list[dict]): Samples of all processes.
        """
        names = find_class_names(len(results[0]['pred_score']), self.dataset_meta)
        if names:
            shared = np.array(names)
            results = [dict(result, classes=shared) for result in results]
        return super().compute_metrics(results)
