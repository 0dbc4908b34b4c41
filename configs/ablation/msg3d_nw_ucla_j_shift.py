# Data shift: msg3d_utd_mhad_j frozen, and a new last layer.
_base_ = '../msg3d_nw_ucla_j.py'

model = dict(frozen_backbone=True)
load_from = 'work_dirs/msg3d_utd_mhad_j/epoch_40.pth'
