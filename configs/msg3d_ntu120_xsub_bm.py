_base_ = './msg3d_ntu120_xsub_j.py'

test_pipeline = [
    dict(step, stream='bm') if step.type == 'SkeletonStream' else step
    for step in _base_.test_pipeline
]
train_dataloader = dict(dataset=dict(stream='bm'))
val_dataloader = test_dataloader = dict(dataset=dict(stream='bm', pipeline=test_pipeline))
