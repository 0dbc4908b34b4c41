# The STF objectives from the weights of a baseline (load_from).
_base_ = './cosine_16e.py'

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=3)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=3, eta_min=0, convert_to_iter_based=True)]
