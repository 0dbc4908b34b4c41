_base_ = ['./ctrgcn_ntu60_xsub_j.py', '_base_/models/stf_head.py']

model = dict(backbone=dict(type='STFCTRGCN'), cls_head={{_base_.stf_head}})
