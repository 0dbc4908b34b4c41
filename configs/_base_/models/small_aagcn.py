_base_ = './small_stgcn.py'

model = dict(backbone=dict(type='STFAAGCN', graph_cfg=dict(mode='spatial')))
