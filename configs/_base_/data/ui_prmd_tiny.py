# The bundled clips have 32 frames each.
_base_ = './kinect20.py'

ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'
test_pipeline = pipeline = [
    dict(type='PadTo', length=32) if step.type == 'UniformSampleFrames' else step
    for step in _base_.train_pipeline
]
train_dataloader = val_dataloader = test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(ann_file=ann_file, pipeline=pipeline)
)
