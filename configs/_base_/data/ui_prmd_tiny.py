# The bundled clips have 32 frames each.
_base_ = './kinect20.py'

ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'
test_pipeline = pipeline = [
    dict(type='SelectPersons', num_person=1),
    dict(type='PrepareSkeleton', layout='kinect20'),
    dict(type='SkeletonStream', layout='kinect20'),
    dict(type='PadTo', length=32),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_dataloader = val_dataloader = test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(ann_file=ann_file, pipeline=pipeline)
)
