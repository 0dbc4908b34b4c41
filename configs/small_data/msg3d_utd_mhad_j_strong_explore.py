_base_ = './msg3d_utd_mhad_j_strong.py'

model = dict(cls_head=dict(loss_exploration=dict(type='STFExplorationLoss', loss_weight=0.1)))
custom_hooks = [dict(type='LossRampHook', begin=0.4, end=0.7)]
