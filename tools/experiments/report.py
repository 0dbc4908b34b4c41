"""Write the tables and plots of docs/evidence.md from the result lines."""

import argparse
import re
from pathlib import Path

from stf_mmaction.engine.cli import run
from stf_mmaction.experiments.plots import plot_curves, plot_gains
from stf_mmaction.experiments.report import markdown
from stf_mmaction.experiments.results import RESULTS, Results
from stf_mmaction.experiments.table import TABLES, Table
from stf_mmaction.locations import ROOT

PLOTS = dict(gains=plot_gains, curves=plot_curves)
PAGE = ROOT / 'docs/evidence.md'
MARK = re.compile(r'(<!-- results: (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--results', type=Path, default=RESULTS, help='folder of the result lines')
    parser.add_argument(
        '--page', type=Path, default=PAGE, help='page whose marked parts are rewritten'
    )
    parser.add_argument(
        '--check', action='store_true', help='change nothing; fail if the page is out of date'
    )
    return parser.parse_args()


def main() -> None:
    """Rewrite the page, or check it."""
    args = parse_args()
    text = args.page.read_text()

    def replaced(match: re.Match) -> str:
        path = TABLES / f'{match[2]}.yml'
        if not path.is_file():
            raise ValueError(f'{args.page} shows the table {match[2]!r}, but there is no {path}')
        table = Table(path)
        known = {line['key']: line for line in Results(args.results / f'{match[2]}.jsonl').lines()}
        current = {cell.key for cell in table.cells()} if known else set()
        lines = [line for key, line in known.items() if key in current]
        content = markdown(table, lines)
        if lines and len(lines) < len(current):
            content += f'\n{len(current) - len(lines)} of {len(current)} results are missing.\n'
        for kind, draw in PLOTS.items():
            picture = args.page.parent / f'images/evidence_{match[2]}_{kind}.png'
            drawn = picture.is_file() if args.check else draw(table, lines, picture)
            if lines and drawn:
                content += f'\n![{kind} of {match[2]}](images/{picture.name})\n'
        return f'{match[1]}{content}{match[3]}'

    fresh = MARK.sub(replaced, text)
    if args.check and fresh != text:
        raise ValueError(f'{args.page} does not match the result lines: run {Path(__file__).name}')
    if not args.check:
        args.page.write_text(fresh)


if __name__ == '__main__':
    run(main)
