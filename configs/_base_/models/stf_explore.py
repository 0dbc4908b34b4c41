# The member that learns with exploration.
_base_ = './msg3d.py'

model = dict(
    backbone=dict(type='STFGCN', stf_stages=(1, 2, 3, 4, 5, 6)),
    cls_head=dict(
        loss_exploration=dict(type='STFExplorationLoss', loss_weight=0.01)))
