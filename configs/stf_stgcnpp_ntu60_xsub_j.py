_base_ = 'mmaction::skeleton/stgcnpp/stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py'  # noqa

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=13)]  # of max_epochs=16
model = dict(
    type='STFRecognizer',
    cls_head=dict(type='STFHead', loss_divergence=dict(type='STFDivergenceLoss', loss_weight=0.1)),
)
