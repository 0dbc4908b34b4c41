# Joints and bones of each clip in one training, with two members each.
_base_ = './stf_msg3d_k400_j.py'

model = dict(streams=('j', 'b'))
train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(stream=('j', 'b')))
