# Data shift: msg3d_ntu60_xsub_j frozen, and a new last layer.
_base_ = '../msg3d_ntu120_xsub_j.py'

model = dict(frozen_backbone=True)
load_from = 'work_dirs/msg3d_ntu60_xsub_j/epoch_50.pth'
