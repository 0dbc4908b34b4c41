# The bundled clips of ten exercises, augmented.
_base_ = './strong_kinect20.py'

ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'
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
select = dict(type='SelectPersons', num_person=1)
train_pipeline = [select, *_base_.train_pipeline]
test_pipeline = [select, *_base_.test_pipeline]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file=ann_file, metainfo=metainfo, pipeline=train_pipeline),
)
val_dataloader = test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file=ann_file, metainfo=metainfo, pipeline=test_pipeline),
)
