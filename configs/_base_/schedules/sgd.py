# Of all settings. The rate is meant for so many clips in all, on however
# many GPUs; a schedule or config of another batch says so.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = [dict(type='MemberAccMetric')]
test_evaluator = val_evaluator
