# Scarce data: 25 % of the training clips.
_base_ = './msg3d_tiny_j.py'

train_dataloader = dict(dataset=dict(fraction=0.25))
