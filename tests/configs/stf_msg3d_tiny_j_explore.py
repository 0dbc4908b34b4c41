# The member `explore` alone, from the weights of the baseline.
_base_ = [
    '../../configs/_base_/models/stf_explore.py',
    '../../configs/_base_/models/strong.py',
    '../../configs/_base_/data/ui_prmd_tiny.py',
    './stf_tiny_1e.py',
    '../../configs/_base_/default_runtime.py',
]

model = dict(
    backbone=dict(_base_.strong, base_channels=6), cls_head=dict(num_classes=10, in_channels=24)
)
load_from = 'work_dirs/msg3d_tiny_j/epoch_2.pth'
