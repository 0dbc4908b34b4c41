# The member that learns with exploration.
_base_ = './stf_gcn.py'

model = dict(cls_head=dict(loss_exploration=dict(type='STFExplorationLoss', loss_weight=0.01)))
