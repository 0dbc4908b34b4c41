# The baseline on NTU RGB+D 120.
_base_ = './msg3d_50e.py'

train_cfg = dict(max_epochs=60)
param_scheduler = [dict(type='MultiStepLR', milestones=[20, 35, 50], gamma=0.1)]
