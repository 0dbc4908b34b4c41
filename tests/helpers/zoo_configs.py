"""The configs of the zoo, read once, and what their names promise."""

import copy
from functools import cache

import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from helpers import ROOT
from stf_mmaction.experiments.paper import read_config

PATHS = {
    path.stem: path
    for pattern in ('configs/*.py', 'configs/ablation/*.py', 'tests/configs/*_tiny_[jb]*.py')
    for path in ROOT.glob(pattern)
}
ZOO = sorted(name for name in PATHS if '_tiny_' not in name)  # with a row in the tables
CONFIGS = sorted(PATHS)
FOCUS = {'loss_divergence', 'loss_coherence', 'loss_adjacency'}
# The installed configs of MMAction2 with STF.
STOCK = {'stf_stgcn_ntu60_xsub_j', 'stf_2sagcn_ntu60_xsub_j', 'stf_stgcnpp_ntu60_xsub_j'}


@cache
def _load(name):
    return Config.fromfile(PATHS[name])


def load(name):
    return copy.deepcopy(_load(name))


def entry(name):
    """A config of a table, which may be a file with options."""
    return read_config(name)


def network_of(cfg):
    """The network of a recognizer, or what the members share."""
    return cfg.model.get('shared') or cfg.model


def dataset_of(cfg):
    data = cfg.train_dataloader.dataset
    return data.get('dataset', data)  # of a RepeatDataset


def expected_losses(name):
    """The STF losses that a config is for, by its name."""
    if name == 'stf_stgcnpp_ntu60_xsub_j':
        return {'loss_divergence'}
    if not name.startswith('stf_') or name.endswith('_shift'):
        return set()
    if 'msg3d' not in name:
        return FOCUS
    for end, own in (
        ('_c', {'loss_coherence'}),
        ('_cd', {'loss_coherence', 'loss_divergence'}),
        ('_focus', FOCUS),
        ('_explore', {'loss_exploration'}),
    ):
        if name.endswith(end):
            return own
    if name.endswith('_x2'):
        return {f'member{i}.{key}' for i in range(2) for key in FOCUS}
    streams = ('_j', '_b') if name.endswith('_jb') else ('',)
    return {
        f'{member}{stream}.{key}'
        for stream in streams
        for member, keys in (('focus', FOCUS), ('explore', {'loss_exploration'}))
        for key in keys
    }


def learning_rates(cfg):
    """The learning rate of each epoch, by MMEngine's own schedulers."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(s, convert_to_iter_based=False), default_args=dict(optimizer=optimizer)
        )
        for s in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def steps(first, *epochs):
    """x 0.1 after each of ``epochs`` but the last, which ends it."""
    rates, rate, start = [], first, 0
    for stop in epochs:
        rates += [rate] * (stop - start)
        rate, start = rate / 10, stop
    return rates
