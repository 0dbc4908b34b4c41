_base_ = ['./ctrgcn_ntu60_xsub_j.py', '_base_/models/stf_head.py']

custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=13)]  # of max_epochs=16
model = dict(backbone=dict(type='STFCTRGCN'), cls_head={{_base_.stf_head}})
