_base_ = [
    '_base_/models/stf_strong.py',
    '_base_/data/ui_prmd_tiny.py',
    '_base_/schedules/stf_demo.py',
    '_base_/default_runtime.py',
]

model = dict(shared=dict(cls_head=dict(num_classes=10)))
default_hooks = dict(
    # At the end of the baseline phase, and at the very end.
    checkpoint=dict(interval=24, save_best=None),
    logger=dict(interval=6),
)
