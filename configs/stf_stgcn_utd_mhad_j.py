_base_ = [
    '_base_/models/small_stgcn.py',
    '_base_/models/stf_head.py',
    '_base_/data/utd_mhad.py',
    '_base_/schedules/small_stf_6e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(stf_stages=None), cls_head={{_base_.stf_head}})
load_from = 'work_dirs/stgcn_utd_mhad_j/epoch_20.pth'
