# NTU RGB+D as published by MMAction2, prepared as in the paper.
test_pipeline = pipeline = [
    dict(type='SelectPersons', num_person=2),
    dict(type='PrepareSkeleton', layout='nturgb+d'),
    dict(type='SkeletonStream', layout='nturgb+d'),
    dict(type='PadTo', length=300),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]

train_dataloader = dict(
    batch_size=8,  # on each of 4 GPUs
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SkeletonDataset', pipeline=pipeline, test_mode=True),
)
test_dataloader = val_dataloader
