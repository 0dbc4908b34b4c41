"""Measure how well maps of importance explain a network.

Deletion and insertion curves, the pointing game where the acting joints are known, and the sanity
check with randomised weights; for the focus, for noise, for motion energy, and for Grad-CAM,
LayerCAM (``pip install grad-cam``) and integrated gradients (``pip install captum``).
"""

import argparse

import numpy as np
import torch

from stf_mmaction.benchmark.measures import seconds
from stf_mmaction.engine.arguments import (
    add_device_argument,
    add_network_arguments,
    existing,
    positive,
    seed,
)
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.explainers import EXPLAINERS
from stf_mmaction.engine.inference import build_test_dataset, load_model
from stf_mmaction.files import check_writable, read_json
from stf_mmaction.focus import present_persons
from stf_mmaction.focus.faithfulness import (
    area,
    perturbation_curve,
    pointing_hits,
    rank_correlation,
)
from stf_mmaction.visualization.charts import (
    LineChart,
    line_charts,
    save_chart,
    write_table,
)
from stf_mmaction.visualization.saving import check_picture

BATCH = 16
WIDTH = 14  # characters of a column
SANITY = 32  # most clips whose maps are compared with those of random weights
HEADER = [
    *('method', 'deletion', 'deletion_se', 'insertion', 'insertion_se', 'pointing'),
    *('random_head', 'random_weights', 'ms'),
]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_network_arguments(parser)
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=list(EXPLAINERS),
        default=list(EXPLAINERS),
        help='maps to compare',
    )
    parser.add_argument('--member', help='member of an ensemble to explain; defaults to the first')
    parser.add_argument(
        '--num-clips',
        type=positive,
        default=100,
        help='number of test clips, spread over the split',
    )
    parser.add_argument(
        '--steps', type=positive, default=10, help='steps of a deletion or insertion curve'
    )
    parser.add_argument(
        '--parts',
        type=existing,
        help='JSON file {class: [joints that act]} for the pointing game, all as numbers',
    )
    parser.add_argument(
        '--out',
        default='faithfulness.png',
        help='picture of the curves; two CSV files beside it hold the table and the curves',
    )
    parser.add_argument(
        '--seed', type=seed, default=0, help='random seed of the noise and the random weights'
    )
    add_device_argument(parser)
    return parser.parse_args()


def single(model, name):
    """Return a member of an ensemble by name; without a name, the first or the network itself.

    Raises:
        ValueError: If there is no such member.
    """
    members = dict(model.members.items()) if hasattr(model, 'members') else {}
    if name is None:
        return model.lead
    if name not in members:
        known = f'its members are {list(members)}' if members else 'it is not an ensemble'
        raise ValueError(f'--member {name} is not in the network: {known}')
    return members[name]


def load_clips(model, dataset, count):
    """Return the inputs (N, M, T, V, C) and labels (N,) of clips spread over a data set.

    Args:
        model (nn.Module): Network with the ``data_preprocessor``.
        dataset (Dataset): Test clips.
        count (int): Largest number of clips.
    """
    inputs, labels = [], []
    for index in np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int):
        sample = dataset[int(index)]
        data = model.data_preprocessor(
            dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        )
        inputs.append(data['inputs'][0, 0])
        labels.append(int(sample['data_samples'].gt_label))
    return torch.stack(inputs), torch.tensor(labels, device=inputs[0].device)


def acting_joints(path, num_classes, joints):
    """Return which joints act in each class, boolean (K, V); none for an unknown class.

    Raises:
        ValueError: If a class or a joint of the file does not exist.
    """
    target = torch.zeros(num_classes, joints, dtype=torch.bool)
    parts = read_json(path)
    if not isinstance(parts, dict) or not all(isinstance(own, list) for own in parts.values()):
        raise ValueError(f'{path} is not a dict of {{class: [joints that act]}}: see --help')
    for kind, acting in parts.items():
        if not kind.isdecimal() or int(kind) >= num_classes:
            raise ValueError(
                f'{path}: class {kind!r:.80} is not a number from 0 to {num_classes - 1}'
            )
        wrong = [j for j in acting if type(j) is not int or j not in range(joints)]
        if wrong:
            raise ValueError(f'{path}: joint {wrong[0]!r:.80} is not one of 0 to {joints - 1}')
        target[int(kind), acting] = True
    return target


def randomised(config, model, args, head_alone):
    """Return the network with random weights.

    Args:
        config (str): Config file.
        model (STFRecognizer): The trained network.
        args (argparse.Namespace): The command line.
        head_alone (bool): Whether the backbone keeps its trained weights.
    """
    torch.manual_seed(args.seed)
    _, other = load_model(config, None, args.device, args.cfg_options)
    other = single(other, args.member)
    if head_alone:
        other.backbone.load_state_dict(model.backbone.state_dict())
    return other


def mean_and_error(values):
    """Return the mean of values (N,) over clips, and its standard error."""
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


class Study:
    """Measure maps of one network, batch by batch.

    Args:
        model (STFRecognizer): The network.
        others (list[STFRecognizer]): The network with a random head, and with random weights.
        inputs (torch.Tensor): Clips, shape (N, M, T, V, C).
        target (torch.Tensor): Joints that act in each clip, boolean (N, V).
        steps (int): Steps of the curves.
        seed (int): Random seed of the noise.

    Attributes:
        present (torch.Tensor): Which persons are present, boolean (N, M).
        reference (torch.Tensor): Mean over time and over the clips in which a person is present;
            the measures use it as a clip without information. Shape (1, M, 1, V, C).
        classes (torch.Tensor): Predicted classes, shape (N,).
    """

    def __init__(self, model, others, inputs, target, steps, seed):
        self.model, self.others, self.inputs = model, others, inputs
        self.target, self.steps, self.seed = target, steps, seed
        self.present = present_persons(inputs)
        count = self.present.sum(0).clamp(min=1)[:, None, None, None]
        self.reference = (inputs.sum(0) / count).mean(1, keepdim=True)[None]
        self.classes = torch.cat([self.scores(x).argmax(1) for x in inputs.split(BATCH)])

    @torch.no_grad()
    def scores(self, inputs):
        """Return the probabilities (N, K) of clips (N, M, T, V, C)."""
        head = self.model.cls_head
        return head.scores(self.model.backbone(inputs)).softmax(1)

    def maps(self, name, model, count=None):
        """Compute maps for the predicted classes.

        Args:
            name (str): Key of ``EXPLAINERS``.
            model (STFRecognizer): The network to explain.
            count (int, optional): Number of first clips. Defaults to None, all.

        Returns:
            tuple[torch.Tensor, float]: Maps (N, M, T, V), and the seconds they took.
        """
        torch.manual_seed(self.seed + (model is not self.model))
        batches = zip(self.inputs[:count].split(BATCH), self.classes[:count].split(BATCH))
        maps = (EXPLAINERS[name](model, x, y, self.reference).detach() for x, y in batches)
        found = []
        taken = seconds(lambda: found.extend(maps), self.inputs.device.type)
        return torch.cat(found), taken

    def curves(self, maps, insertion):
        """Return the deletion or insertion curve of each clip, shape (N, steps + 1)."""
        batches = zip(*(x.split(BATCH) for x in (self.inputs, maps, self.classes, self.present)))
        settings = self.reference, self.steps, insertion
        return torch.cat([perturbation_curve(self.scores, *b, *settings) for b in batches])

    def measure(self, name):
        """Return the row of a method in the table, and its mean deletion and insertion curves."""
        maps, seconds = self.maps(name, self.model)
        deletion, insertion = (self.curves(maps, which) for which in (False, True))
        known = self.target.any(1)
        hits = pointing_hits(maps[known], self.target[known]) if known.any() else None
        alike = [
            rank_correlation(maps[:SANITY], self.maps(name, other, SANITY)[0]).mean().item()
            for other in self.others
        ]
        row = [
            name,
            *mean_and_error(area(deletion)),
            *mean_and_error(area(insertion)),
            hits.mean().item() if hits is not None else '',
            *alike,
            1000 * seconds / len(self.inputs),
        ]
        return row, deletion.mean(0).tolist(), insertion.mean(0).tolist()


def draw(curves, steps):
    """Draw the mean curves of deletion and insertion, side by side."""
    shares = {name: np.linspace(0, 100, steps + 1) for name in curves}
    charts = []
    for column, what in enumerate(('deleted', 'inserted')):
        values = {name: pair[column] for name, pair in curves.items()}
        labels = f'% of the cells {what}', 'probability of the class'
        title = ('lower is better', 'higher is better')[column]
        charts.append(LineChart(values, shares, labels, title, (0, 1)))
    return line_charts(charts)


def main() -> None:
    """Print the table, and draw the curves."""
    args = parse_args()
    out = check_picture(args.out)
    check_writable(out)
    cfg, whole = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    model = single(whole, args.member)
    model.check_focus()
    inputs, labels = load_clips(whole, build_test_dataset(cfg), args.num_clips)
    target = torch.zeros(len(inputs), inputs.shape[3], dtype=torch.bool, device=inputs.device)
    if args.parts:
        acting = acting_joints(args.parts, model.cls_head.num_classes, inputs.shape[3])
        target = acting.to(labels.device)[labels]
    others = [randomised(args.config, model, args, head) for head in (True, False)]
    study = Study(model, others, inputs, target, args.steps, args.seed)
    right = (study.classes == labels).float().mean().item()
    print(f'{len(inputs)} clips, {100 * right:.1f} % of them classified correctly')
    rows, curves = [], {}
    print(f'{HEADER[0]:20s}', *(f'{title:>{WIDTH}s}' for title in HEADER[1:]), flush=True)
    for name in args.methods:
        row, *curves[name] = study.measure(name)
        rows.append(row)
        cells = [f'{x:{WIDTH}.3f}' if isinstance(x, float) else f'{x:{WIDTH}s}' for x in row[1:]]
        print(f'{name:20s}', *cells, flush=True)
    if target.any():
        by_chance = target[target.any(1)].float().mean().item()
        print(f'pointing by chance: {by_chance:.3f}, on {int(target.any(1).sum())} clips')
    points = [
        [name, what, step / args.steps, value]
        for name, pair in curves.items()
        for what, curve in zip(('deletion', 'insertion'), pair)
        for step, value in enumerate(curve)
    ]
    table = write_table(out.with_name(f'{out.stem}_table.csv'), HEADER, rows)
    values = save_chart(
        draw(curves, args.steps), out, ['method', 'curve', 'share', 'probability'], points
    )
    print(f'wrote {out}, {values} and {table}')


if __name__ == '__main__':
    run(main)
