_base_ = [
    '_base_/models/msg3d_strong.py',
    '_base_/data/ui_prmd_tiny.py',
    '_base_/schedules/msg3d_demo.py',
    '_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=10))
default_hooks = dict(checkpoint=dict(interval=24, save_best=None), logger=dict(interval=6))
