# The member `focus` from the first epoch, as the other networks with STF.
_base_ = ['./msg3d_utd_mhad_j.py', '_base_/models/stf_head.py']

model = dict(backbone=dict(type='STFGCN'), cls_head={{_base_.stf_head}})
