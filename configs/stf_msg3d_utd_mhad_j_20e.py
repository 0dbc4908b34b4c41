_base_ = [
    '_base_/models/stf_focus_kinect20.py',
    '_base_/data/utd_mhad.py',
    '_base_/schedules/small_stf_6e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=27))
load_from = 'work_dirs/msg3d_utd_mhad_j_20e/epoch_20.pth'
