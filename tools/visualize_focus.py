"""Draw where a trained network looks in a few test clips.

The ending of --out selects PNG, SVG or PDF for a picture, GIF or MP4 for an
animation. A folder gets one file per clip.
"""

from pathlib import Path

from stf_mmaction.datasets.selection import (
    clips_with_ids,
    ids_and_labels,
    spread_over_classes,
)
from stf_mmaction.engine.adjacency_of_clip import adjacency_of_clip
from stf_mmaction.engine.class_averages import average_classes
from stf_mmaction.engine.cli import run
from stf_mmaction.engine.comparisons import compare_focus
from stf_mmaction.engine.explainers import explain_with
from stf_mmaction.engine.inference import (
    build_test_dataset,
    check_knows_focus,
    class_names_of,
    focus_of_clip,
    load_model,
    num_classes_of,
)
from stf_mmaction.engine.page_clips import Network, page_clips
from stf_mmaction.engine.picture_arguments import parse_picture_arguments
from stf_mmaction.files import check_writable
from stf_mmaction.visualization import draw_focus, file_stem, save
from stf_mmaction.visualization.adjacency import draw_adjacency
from stf_mmaction.visualization.animation import ANIMATIONS, animate
from stf_mmaction.visualization.average import draw_classes
from stf_mmaction.visualization.page import write_page
from stf_mmaction.visualization.style import theme_of


def choose(dataset, args, names):
    """Return the indices of the clips to draw: by id, by class, or spread over the classes."""
    ids, labels = zip(*ids_and_labels(dataset))
    if args.clips:
        return clips_with_ids(ids, args.clips)
    wanted = labels_of(args.labels, names)
    if not wanted:
        return spread_over_classes(labels, args.num_clips)
    chosen = [i for i, label in enumerate(labels) if label in wanted]
    if not chosen:
        raise ValueError('no test clip is of that class: choose another --class')
    return chosen[: args.num_clips]


def clip_id(dataset, index):
    """Return the id of a clip as text."""
    return str(dataset.get_data_info(index).get('frame_dir', index))


def network_names(args):
    """Return the names of the networks: their configs, or their checkpoints if those differ."""
    sources = [(args.config, args.checkpoint)]
    sources += [args.versus] if args.versus else []
    names = [[Path(source).stem for source in column] for column in zip(*sources)]
    names = next((column for column in names if len(set(column)) == len(sources)), ['a', 'b'])
    how = '' if args.explain == 'focus' else f' ({args.explain.replace("_", " ")})'
    return [f'{name}{how}' for name in names]


def load_versus(args, names):
    """Return the second network and its test data."""
    cfg, other = load_model(*args.versus, args.device, args.cfg_options)
    check_knows_focus(other)
    if num_classes_of(other) != len(names):
        raise SystemExit(
            f'error: --versus {args.versus[1]} knows {num_classes_of(other)} classes, the first '
            f'network {len(names)}: compare networks for the same classes'
        )
    if args.explain != 'focus':
        explain_with(other, args.explain)
    return other, build_test_dataset(cfg)


def write_html(args, model, dataset, names):
    """Write the HTML page of one network, or of two."""
    models, datasets = [model], [dataset]
    if args.versus:
        other, clips = load_versus(args, names)
        models.append(other)
        datasets.append(clips)
    networks = list(map(Network, network_names(args), models, datasets))
    write_page(
        args.html,
        page_clips(networks, choose(dataset, args, names)),
        model.lead.layout,
        [network.name for network in networks],
        names,
        title=f'Where {" and ".join(n.name for n in networks)} look{"" if args.versus else "s"}',
    )
    print(f'wrote {args.html}')


def labels_of(wanted, names):
    """Return the indices of named classes, or None without a name.

    Raises:
        ValueError: If a name is unknown.
    """
    for name in wanted or ():
        if name not in names:
            raise ValueError(f'class {name!r} is not one of {names}')
    return wanted and [names.index(name) for name in wanted]


def write_average(args, model, dataset, names):
    """Write a picture of the mean focus for each class over its clips."""
    labels = labels_of(args.labels, names)
    found = average_classes(model, dataset, names, labels, args.confused)
    figure = draw_classes(found, model.lead.layout, args.view, args.theme)
    path = args.out / f'classes.{args.format}' if not args.out.suffix else args.out
    save(figure, path, theme_of(args.theme))
    print(f'wrote {path}')


def clips_to_draw(args, model, dataset, names):
    """Return a function from the index of a clip to the list of FocusedClips to draw."""
    if args.compare:
        return lambda index: compare_focus(model, dataset, index, names, args.compare)
    if not args.versus:
        return lambda index: [focus_of_clip(model, dataset, index, names)]
    other, other_data = load_versus(args, names)
    first, second = network_names(args)
    ids = [name for name, _ in ids_and_labels(other_data)]

    def both(index):
        clip = focus_of_clip(model, dataset, index, names)
        wanted = [clip_id(dataset, index)]
        (place,) = clips_with_ids(ids, wanted, f'the test split of {second}')
        beside = focus_of_clip(other, other_data, place, names)
        return [
            clip._replace(title=f'{first}, {clip.title}'),
            beside._replace(title=f'{second}, {beside.title}'),
        ]

    return both


def write_adjacency(args, model, dataset, names, chosen):
    """Write the adjacency matrices of each clip, or of the first one to a file."""
    one_file = args.out.suffix and not args.out.is_dir()
    if one_file and args.clips and len(chosen) > 1:
        raise SystemExit('error: --adjacency draws one clip per file: make --out a folder')
    for index in chosen[:1] if one_file else chosen:
        clip = focus_of_clip(model, dataset, index, names)
        modules = adjacency_of_clip(model, dataset, index)
        figure = draw_adjacency(modules, clip, model.lead.layout, args.view, args.theme)
        stem = file_stem(clip_id(dataset, index))
        path = args.out if one_file else args.out / f'{stem}.{args.format}'
        save(figure, path, theme_of(args.theme))
        print(f'wrote {path}')


def target_of(args):
    """Return the file to write, or an example of the files in the folder."""
    if args.html:
        return args.html
    is_folder = not args.out.suffix or args.out.is_dir()
    return args.out / f'clip.{args.format}' if is_folder else args.out


def write(args, path, clips, layout):
    """Write one picture or animation."""
    if path.suffix.lower() in ANIMATIONS:
        animate(clips, layout, path, args.view, args.theme, args.fps)
    else:
        save(draw_focus(clips, layout, args.view, args.theme), path, theme_of(args.theme))
    print(f'wrote {path}')


def main() -> None:
    """Draw the chosen clips."""
    args = parse_picture_arguments(__doc__)
    check_writable(target_of(args))
    cfg, model = load_model(args.config, args.checkpoint, args.device, args.cfg_options)
    check_knows_focus(model)
    dataset = build_test_dataset(cfg)
    names = class_names_of(model, dataset, args.class_names)
    if args.explain != 'focus':
        explain_with(model, args.explain)
    if args.html:
        write_html(args, model, dataset, names)
        return
    if args.average:
        write_average(args, model, dataset, names)
        return
    chosen = choose(dataset, args, names)
    if args.adjacency:
        write_adjacency(args, model, dataset, names, chosen)
        return
    drawn, layout, out = clips_to_draw(args, model, dataset, names), model.lead.layout, args.out
    if out.suffix and not out.is_dir():
        write(args, out, [clip for index in chosen for clip in drawn(index)], layout)
        return
    for index in chosen:
        stem = file_stem(clip_id(dataset, index))
        write(args, out / f'{stem}.{args.format}', drawn(index), layout)


if __name__ == '__main__':
    run(main)
