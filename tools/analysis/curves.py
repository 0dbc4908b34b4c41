"""Draw training curves of one run or of several, from MMEngine's logs.

Takes work directories, or the ``scalars.json`` that MMEngine writes in them.
"""

import argparse
import json
from pathlib import Path

from stf_mmaction.engine.cli import run
from stf_mmaction.files import read_text
from stf_mmaction.visualization.charts import LineChart, check_path, line_charts, save


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('logs', nargs='+', type=Path, help='work directories or scalars.json')
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['loss', 'acc/top1'],
        help='what to draw, one chart each, named as in the log; defaults to loss acc/top1',
    )
    parser.add_argument('--out', default='curves.png', help='.png, .svg or .pdf')
    return parser.parse_args()


def find_log(path):
    """Return the ``scalars.json`` of the latest run of a work directory."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise ValueError(f'{path} does not exist: name a work directory or a scalars.json')
    found = sorted(path.glob('**/vis_data/scalars.json'), key=lambda log: str(log.parent))
    if not found:
        raise ValueError(f'{path} holds no vis_data/scalars.json: name the work directory of a run')
    return found[-1]


def read(path):
    """Return a log as (epoch, scalars); a validation belongs to the epoch before it."""
    lines = []
    epoch, last = 0.0, 0
    per_epoch = {}
    for number, text in enumerate(read_text(path).splitlines(), 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f'{path} is no log of MMEngine: line {number} is not JSON') from None
        if not isinstance(line, dict) or 'step' not in line:
            raise ValueError(f'{path} is no log of MMEngine: line {number} has no step')
        places = [line[key] for key in ('step', 'iter', 'epoch') if key in line]
        if not all(type(place) is int and 0 <= place < 2**53 for place in places):
            raise ValueError(
                f'{path} is no log of MMEngine: step, iter and epoch of line {number} are not '
                f'whole numbers from 0 on, but {str(places)[:80]}'
            )
        if 'iter' in line:
            last = line.get('epoch', 0)
            per_epoch[last] = max(per_epoch.get(last, 0), line['iter'])
        lines.append((line, last))
    if not lines:
        raise ValueError(f'{path} is an empty log: nothing was trained yet')
    length = max((total / epoch for epoch, total in per_epoch.items() if epoch), default=0) or 1
    found = []
    for line, last in lines:
        epoch = line['iter'] / length if 'iter' in line and last else float(line['step'])
        found.append((epoch, line))
    return found


def series(log, key):
    """Return places and values of a key in a log; a value that is no number is left out."""
    points = [
        (epoch, float(line[key]))
        for epoch, line in log
        if isinstance(line.get(key), (int, float)) and abs(line[key]) < 1e300
    ]
    return [list(column) for column in zip(*points)] or [[], []]


def main() -> None:
    args = parse_args()
    out = check_path(args.out)
    logs = {}
    for path in args.logs:
        name = path.name if path.is_dir() else path.parent.name
        logs[name if name not in logs else str(path)] = read(find_log(path))
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
        charts.append(LineChart(values, places, ('epoch', key)))
    table = save(line_charts(charts), out, ['run', 'key', 'epoch', 'value'], rows)
    print(f'wrote {out} and {table}')


if __name__ == '__main__':
    run(main)
