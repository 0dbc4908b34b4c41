# The bundled clips have 32 frames each.
_base_ = './kinect20.py'

ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'
test_pipeline = pipeline = [
    dict(type='PadTo', length=32) if step.type == 'UniformSampleFrames' else step
    for step in _base_.train_pipeline
]
metainfo = dict(
    classes=(
        'deep squat',
        'hurdle step',
        'inline lunge',
        'side lunge',
        'sit to stand',
        'standing active straight leg raise',
        'standing shoulder abduction',
        'standing shoulder extension',
        'standing shoulder internal-external rotation',
        'standing shoulder scaption',
    )
)
train_dataloader = val_dataloader = test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file=ann_file, pipeline=pipeline, metainfo=metainfo),
)
