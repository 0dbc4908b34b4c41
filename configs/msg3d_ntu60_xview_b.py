_base_ = './msg3d_ntu60_xview_j.py'

test_pipeline = [
    dict(step, stream='b') if step.type == 'SkeletonStream' else step
    for step in _base_.test_pipeline
]
train_dataloader = dict(dataset=dict(stream='b'))
val_dataloader = test_dataloader = dict(dataset=dict(stream='b', pipeline=test_pipeline))
