_base_ = './small_stgcn.py'

model = dict(backbone=dict(type='STFCTRGCN', graph_cfg=dict(mode='spatial')))
