# The member `focus` alone, from the weights of the baseline.
_base_ = [
    '_base_/models/stf_focus.py',
    '_base_/data/ntu60_xsub.py',
    '_base_/schedules/stf_15e.py',
    '_base_/default_runtime.py',
]

load_from = 'work_dirs/msg3d_ntu60_xsub_j/epoch_50.pth'
