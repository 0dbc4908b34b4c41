"""Write metafile.yml and the tables of configs/README.md from the configs.

The results of the papers come from tools/paper.yml, those of this repository from
tools/results.yml. FLOPs and parameters are counted.
"""

import argparse
from typing import Any, Dict, List

import yaml

from stf_mmaction.engine.cli import run
from stf_mmaction.experiments.paper import TABLES, config_of, paper_numbers, table_of
from stf_mmaction.experiments.zoo import (
    DATASETS,
    NETWORKS,
    NOT_RUN,
    STF,
    data_of,
    describe,
    heading,
    names,
    network,
)
from stf_mmaction.locations import CONFIGS, ROOT, TOOLS

COLUMNS = (
    'config',
    'stream',
    'frames',
    'GPUs x batch',
    'backbone',
    'epochs',
    'FLOPs',
    'params',
    'testing',
    'top-1, paper',
    'top-1, ours',
    'seeds',
    'ckpt',
    'log',
)
START = '<!-- tables: written by tools/zoo.py -->'


def paper_table(title: str, results: Dict) -> List[str]:
    """Return the Markdown lines of a table of the paper, with its numbers and ours."""
    row, bench = title.split()[0], title.split()[-1]
    table = table_of(row, bench)
    columns = list(next(iter(table.values())))
    extra = f' {bench}' if bench not in (row, TABLES.get(row, [''])[0]) else ''
    heads = [f'{c}, {whose}' for c in columns for whose in ('paper', 'ours')]
    lines = [
        f'`bash tools/reproduce.sh {row} 4{extra}`:',
        '',
        '| setting | ' + ' | '.join(heads) + ' |',
        '|' + ' --- |' * (1 + len(heads)),
    ]
    for setting, cells in table.items():
        theirs, line = paper_numbers()[title].get(setting, {}), [setting]
        for column, configs in cells.items():
            line += [
                f'{theirs[column]:.2f}' if column in theirs else '-',
                results.get('+'.join(configs), {}).get('top1', NOT_RUN),
            ]
        lines.append('| ' + ' | '.join(line) + ' |')
    return lines


def tables(rows: Dict[str, Dict], results: Dict) -> str:
    """Return the tables of each benchmark as Markdown: the paper's, and one of all configs."""
    text, title = [], None
    for name, row in rows.items():
        if heading(name) != title:
            title = heading(name)
            text += ['', f'## {title}', '']
            for table in paper_numbers():
                if heading(table.split()[-1]) == title:
                    text += [*paper_table(table, results), '']
            text += ['| ' + ' | '.join(COLUMNS) + ' |', '|' + ' --- |' * len(COLUMNS)]
        text.append('| ' + ' | '.join(str(row[c]) for c in COLUMNS) + ' |')
    return '\n'.join(text) + '\n'


def metafile(rows: Dict[str, Dict], results: Dict) -> str:
    """Return the text of metafile.yml, in the format of MMAction2."""
    models = []
    for name, row in rows.items():
        own: Dict[str, Any] = results.get(name, {})
        # The mean of "mean +- deviation".
        metrics = {'Top 1 Accuracy': float(own['top1'].split()[0])} if own else {}
        machine, batch = row['GPUs x batch'].split(' x ')
        models.append(
            {
                'Name': name,
                'Config': str(config_of(name)[0].relative_to(ROOT)),
                'In Collection': ('STF' if name.startswith('stf') else NETWORKS[network(name)][0]),
                'Metadata': {
                    'Architecture': row['backbone'],
                    'Batch Size': int(batch),
                    'Epochs': row['epochs'],
                    'FLOPs': row['FLOPs'],
                    'Parameters': row['params'],
                    'Training Data': DATASETS[data_of(name)],
                    'Training Resources': (machine if machine == 'CPU' else f'{machine} GPUs'),
                },
                'Modality': f'skeleton, {row["stream"]}',
                'Results': [
                    {
                        'Dataset': heading(name),
                        'Task': 'Skeleton-based Action Recognition',
                        'Metrics': metrics,
                    }
                ],
                **{
                    title: own[key]
                    for title, key in (('Training Log', 'log'), ('Weights', 'ckpt'))
                    if key in own
                },
            }
        )
    used = {model['In Collection'] for model in models}
    papers = [('STF', *STF), *NETWORKS.values()]
    collections = [
        dict(
            Name=name,
            README='configs/README.md',
            Paper=dict(Title=title, URL=f'https://arxiv.org/abs/{number}'),
        )
        for name, title, number in papers
        if name in used
    ]
    return '# Written by tools/zoo.py.\n' + yaml.safe_dump(
        dict(Collections=collections, Models=models), sort_keys=False
    )


def main() -> None:
    """Rewrite both files."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    results = yaml.safe_load((TOOLS / 'results.yml').read_text()) or {}
    rows = {name: describe(name, results) for name in names()}
    page = CONFIGS / 'README.md'
    head = page.read_text().split(START)[0]
    page.write_text(head + START + '\n' + tables(rows, results))
    (CONFIGS / 'metafile.yml').write_text(metafile(rows, results))


if __name__ == '__main__':
    run(main)
