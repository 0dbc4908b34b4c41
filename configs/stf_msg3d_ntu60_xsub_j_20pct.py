# Scarce data: 20 % of the training clips.
_base_ = './stf_msg3d_ntu60_xsub_j.py'

train_dataloader = dict(dataset=dict(fraction=0.2))
