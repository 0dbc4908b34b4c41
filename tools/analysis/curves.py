"""Draw training curves of one or more runs, from MMEngine's logs.

Reads work directories, of which the latest training is drawn together with those that it resumed,
or the ``scalars.json`` files that MMEngine writes in them.
"""

import argparse
import json
from itertools import accumulate
from pathlib import Path

from stf_mmaction.engine.cli import run
from stf_mmaction.files import read_text
from stf_mmaction.visualization.charts import LineChart, line_charts, save_chart
from stf_mmaction.visualization.saving import check_picture


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('logs', nargs='+', type=Path, help='work directories or scalars.json')
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['loss', 'acc/top1'],
        help='keys of the log to draw, one chart each; defaults to loss acc/top1',
    )
    parser.add_argument('--out', default='curves.png', help='.png, .svg or .pdf')
    return parser.parse_args()


def parse(path):
    """Return the lines of a log, without a last one that a killed run did not finish.

    Args:
        path (pathlib.Path): File of JSON lines.

    Raises:
        ValueError: If a line is not of MMEngine.
    """
    text, lines = read_text(path), []
    for number, row in enumerate(rows := text.splitlines(), 1):
        fault = f'{path} is not a log of MMEngine: line {number}'
        try:
            line = json.loads(row)
        except (ValueError, RecursionError):
            if number == len(rows) > 1 and not text.endswith('\n'):
                break
            raise ValueError(f'{fault} is not JSON') from None
        if not isinstance(line, dict) or 'step' not in line:
            raise ValueError(f'{fault} has no step')
        places = [line[key] for key in ('step', 'iter', 'epoch') if key in line]
        if not all(type(place) is int and 0 <= place < 2**53 for place in places):
            raise ValueError(
                f'{fault} has {str(places)[:80]} as step, iter and epoch, '
                'not whole numbers of at least 0'
            )
        lines.append(line)
    return lines


def find_lines(path):
    """Return the lines of a log, or of the latest training of a work directory.

    Logs of trainings that it resumed are included, each up to where the next one begins.

    Raises:
        ValueError: If there is no log, or it is empty.
    """
    if not path.exists():
        raise ValueError(f'{path} does not exist: name a work directory or a scalars.json')
    found = [path] if path.is_file() else list(path.glob('**/vis_data/scalars.json'))
    if not found:
        raise ValueError(f'{path} holds no vis_data/scalars.json: name the work directory of a run')
    lines = []
    for log in sorted(found, key=lambda log: str(log.parent), reverse=True):
        begin = min((line['iter'] for line in lines if 'iter' in line), default=2**53)
        earlier = parse(log)
        stop = [i for i, line in enumerate(earlier) if line.get('iter', 0) >= begin]
        earlier = earlier[: stop[0]] if stop else earlier
        if stop and not any('iter' in line for line in earlier):
            break  # this log and those before it are of another training
        lines = earlier + lines
    if not lines:
        raise ValueError(f'{path} is an empty log: nothing was trained yet')
    return lines


def unit_of(lines):
    """Return the unit in which a training counts, ``'epoch'`` or ``'iteration'``."""
    trained = [line for line in lines if 'iter' in line]
    # A loop of iterations may log an epoch, which is always 1; its validations have step 0.
    by_epoch = any('epoch' in line for line in trained) and all(
        line['step'] for line in lines if 'iter' not in line
    )
    return 'epoch' if by_epoch or not trained else 'iteration'


def read(path):
    """Return a log or the latest training of a work directory as pairs (place, scalars).

    Places are in epochs or iterations, see :func:`unit_of`; a validation is at the end of the
    training before it.
    """
    lines = find_lines(path)
    if unit_of(lines) == 'iteration':
        # MMEngine may count validations by epochs, of which there is none.
        lasts = accumulate((line.get('iter', 0) for line in lines), max)
        return [(float(max(last, line['step'])), line) for last, line in zip(lasts, lines)]
    per_epoch = {}
    for line in lines:
        epoch = line.get('epoch', 0)
        per_epoch[epoch] = max(per_epoch.get(epoch, 0), line.get('iter', 0))
    length = max((total / epoch for epoch, total in per_epoch.items() if epoch), default=0) or 1
    trained = [bool(line.get('epoch')) and 'iter' in line for line in lines]
    return [
        (line['iter'] / length if within else float(line['step']), line)
        for line, within in zip(lines, trained)
    ]


def series(log, key):
    """Return the places and values of a key in a log, without values that are not numbers."""
    points = [
        (epoch, float(line[key]))
        for epoch, line in log
        if isinstance(line.get(key), (int, float)) and abs(line[key]) < 1e300
    ]
    return [list(column) for column in zip(*points)] or [[], []]


def main() -> None:
    """Draw the curves."""
    args = parse_args()
    out = check_picture(args.out)
    logs, units = {}, {}
    for path in args.logs:
        name = path.name if path.is_dir() else path.parent.name
        name = name if name not in logs else str(path)
        logs[name] = read(path)
        units[name] = unit_of([line for _, line in logs[name]])
    unit, *others = dict.fromkeys(units.values())
    if others:
        counts = ', '.join(f'{name} counts {kind}s' for name, kind in units.items())
        raise ValueError(f'the logs have no common axis, {counts}: draw them separately')
    charts, rows = [], []
    for key in args.keys:
        places, values = {}, {}
        for name, log in logs.items():
            xs, ys = series(log, key)
            if xs:
                places[name], values[name] = xs, ys
            rows += [[name, key, x, y] for x, y in zip(xs, ys)]
        if not values:
            known = sorted({k for log in logs.values() for _, line in log for k in line})
            raise ValueError(f'--keys {key} is in no log: use some of {known}')
        charts.append(LineChart(values, places, (unit, key)))
    table = save_chart(line_charts(charts), out, ['run', 'key', unit, 'value'], rows)
    print(f'wrote {out} and {table}')


if __name__ == '__main__':
    run(main)
