_base_ = [
    '_base_/models/stf.py',
    '_base_/data/ntu60_xsub.py',
    '_base_/schedules/stf_50e_15e.py',
    '_base_/default_runtime.py',
]
