_base_ = [
    '_base_/models/small_gcn.py', '_base_/data/utd_mhad.py',
    '_base_/schedules/msg3d_40e.py', '_base_/default_runtime.py'
]

model = dict(backbone=dict(type='STFAAGCN'))
