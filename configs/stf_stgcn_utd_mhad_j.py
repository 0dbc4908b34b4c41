_base_ = ['./stgcn_utd_mhad_j.py', '_base_/models/stf_head.py']

model = dict(backbone=dict(stf_stages=None), cls_head={{_base_.stf_head}})
