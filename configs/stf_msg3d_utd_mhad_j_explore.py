# The member `explore` alone, from the weights of the baseline.
_base_ = [
    '_base_/models/stf_explore_kinect20.py',
    '_base_/data/utd_mhad.py',
    '_base_/schedules/stf_15e.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=27))
auto_scale_lr = dict(base_batch_size=16)
load_from = 'work_dirs/msg3d_utd_mhad_j/epoch_40.pth'
