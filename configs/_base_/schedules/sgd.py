# Shared by all schedules. The rate fits this total batch size, on any number of
# GPUs; a schedule or config with another batch states it.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = [dict(type='MemberAccMetric')]
test_evaluator = val_evaluator
