_base_ = [
    '_base_/models/stf.py',
    '_base_/data/ntu60_xsub_u100.py',
    '_base_/schedules/stf_cosine_3e.py',
    '_base_/default_runtime.py',
]

load_from = 'work_dirs/msg3d_ntu60_xsub_j_u100/epoch_16.pth'
