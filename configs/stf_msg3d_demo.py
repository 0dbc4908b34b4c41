_base_ = [
    '_base_/models/stf_kinect20.py', '_base_/data/ui_prmd_tiny.py',
    '_base_/schedules/stf_20e_9e.py', '_base_/default_runtime.py'
]

model = dict(shared=dict(cls_head=dict(num_classes=10)))
default_hooks = dict(
    checkpoint=dict(interval=5, save_best=None, max_keep_ckpts=-1),
    logger=dict(interval=6))
