# The STF objectives from the weights of a baseline (load_from), in tests.
_base_ = '../../configs/_base_/schedules/sgd.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
