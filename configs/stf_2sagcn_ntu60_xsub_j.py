_base_ = [
    'mmaction::skeleton/2s-agcn/2s-agcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py',
    '_base_/models/stf_head.py',
]

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=13)]  # of max_epochs=16
model = dict(type='STFRecognizer', backbone=dict(type='STFAAGCN'), cls_head={{_base_.stf_head}})
