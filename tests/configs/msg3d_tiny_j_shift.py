# Data shift, for tests: msg3d_tiny_j frozen, and its last layer trained on.
_base_ = './msg3d_tiny_j.py'

model = dict(frozen_backbone=True)
load_from = 'work_dirs/msg3d_tiny_j/epoch_2.pth'
