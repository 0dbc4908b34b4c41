# The baseline on Kinetics-Skeleton.
_base_ = './msg3d_50e.py'

train_cfg = dict(max_epochs=65)
param_scheduler = [dict(type='MultiStepLR', milestones=[25, 40, 55], gamma=0.1)]
