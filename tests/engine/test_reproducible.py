"""A run that was stopped ends with the weights of one that was not."""

import numpy as np
import pytest
import torch
from helpers.small_runs import Kill, Stopped, run, weights
from helpers.tiny import clips, config, model_cfg, pipeline, train, write
from mmengine.hooks import Hook

WORKERS = [
    dict(),
    dict(num_workers=2),
    dict(num_workers=2, persistent_workers=True),
]


def stopped(folder, iteration, **changes):
    with pytest.raises(Stopped):
        run(folder, [Kill(iteration)], **changes)
    return weights(run(folder, resume=True, **changes))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    return weights(run(tmp_path_factory.mktemp('whole')))


@pytest.mark.parametrize('loader', WORKERS, ids=['0', '2', 'persistent'])
def test_random_clips_and_dropout(whole, tmp_path, loader):
    """The same weights for any number of workers, stopped or not."""
    for name, value in stopped(tmp_path, 12, **loader).items():
        assert value.equal(whole[name])


def test_epochs_differ(tmp_path):
    """The generators are seeded anew, but not alike, in each epoch."""
    seen = []

    class Spy(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.extend(x.frac().tolist() for x in data_batch['inputs'])

    run(tmp_path, [Spy()])
    numbers = torch.tensor(seen).flatten()
    assert len(numbers.unique()) == numbers.numel() == 120


def test_validation_and_seeds_of_others_change_nothing(whole, tmp_path):
    """MMAction2's test pipelines seed NumPy between epochs."""

    class Other(Hook):
        def after_train_epoch(self, runner):
            torch.manual_seed(1)
            np.random.seed(255)

    for name, value in weights(run(tmp_path, [Other()])).items():
        assert value.equal(whole[name])


@pytest.mark.parametrize(
    'loader', [WORKERS[0], pytest.param(WORKERS[1], marks=pytest.mark.slow)], ids=['0', '2']
)
def test_training_by_iterations(tmp_path, loader):
    whole = weights(run(tmp_path / 'whole', by_epoch=False, **loader))
    for name, value in stopped(tmp_path / 'stopped', 12, by_epoch=False, **loader).items():
        assert value.equal(whole[name])


@pytest.mark.parametrize('counts', [2, 3, 7])
def test_gradients_that_wait_are_kept(tmp_path, counts):
    """Five steps per epoch: some gradients wait for the next epoch's."""
    optim = dict(
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='SGD', lr=1e-2, momentum=0.9),
            accumulative_counts=counts,
        )
    )
    whole = weights(run(tmp_path / 'whole', **optim))
    for name, value in stopped(tmp_path / 'stopped', 12, **optim).items():
        assert value.equal(whole[name])


def test_a_run_without_a_seed_resumes_with_its_own(tmp_path):
    """The sampler, too, gets the seed that the checkpoint holds."""
    whole = run(tmp_path / 'whole', seed=None)
    first = tmp_path / 'whole' / 'epoch_1.pth'
    again = run(tmp_path / 'again', seed=None, resume=True, load_from=first)
    assert again.seed == whole.seed
    for name, value in weights(again).items():
        assert value.equal(whole.model.state_dict()[name])


def test_attributes_are_those_of_the_data_set(tmp_path):
    runner = run(tmp_path, train_cfg=dict(by_epoch=True, max_epochs=1))
    dataset = runner.train_dataloader.dataset
    assert len(dataset) == 10 and dataset.metainfo == {}
    dataset.pipeline = 'new'
    assert dataset.dataset.pipeline == 'new'
    assert not hasattr(dataset, '__getitems__')


def test_deterministic_algorithms(tmp_path):
    """An ensemble on augmented clips ends with the same weights, twice and with workers."""
    data = write(tmp_path / 'data.pkl', clips())
    steps = [dict(type='RandomSkeletonRotation'), dict(type='RandomJointErasing', p=1)]
    prepare, *rest = pipeline()
    found = []
    for number, workers in enumerate((0, 0, 2)):
        torch.use_deterministic_algorithms(False)
        cfg = config(
            data, tmp_path / str(number), model_cfg('ensemble'), steps=[prepare, *steps, *rest]
        )
        cfg.randomness = dict(seed=0, deterministic=True)
        cfg.train_dataloader.num_workers = workers
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        found.append(weights(train(cfg)))
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
    first, *others = found
    for other in others:
        assert all(value.equal(first[name]) for name, value in other.items())
