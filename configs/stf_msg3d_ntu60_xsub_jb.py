# Joints and bones of each clip in one training, with two members each.
_base_ = './stf_msg3d_ntu60_xsub_j.py'

model = dict(streams=('j', 'b'))
test_pipeline = [
    dict(step, stream=('j', 'b')) if step.type == 'SkeletonStream' else step
    for step in _base_.test_pipeline
]
train_dataloader = dict(dataset=dict(stream=('j', 'b')))
val_dataloader = test_dataloader = dict(dataset=dict(stream=('j', 'b'), pipeline=test_pipeline))
