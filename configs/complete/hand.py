# A hand; here the 22 joints of SHREC'17 in 3D, a small data set, augmented.
# Everything in one file, to copy and edit; the same as
# configs/small_data/stf_msg3d_shrec17_j_strong.py.
_base_ = 'mmaction::_base_/default_runtime.py'  # hooks, logging, visual back ends

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
# On CUDA: TF32 for matrix products ('highest' turns it off), cuDNN's search for convolutions.
float32_matmul_precision = 'high'
env_cfg = dict(cudnn_benchmark=True)
cuda_graph = True  # a training step on a GPU is recorded and replayed

# --- Data -----------------------------------------------------------------------------------------
ann_file = 'data/skeleton/shrec17.pkl'  # yours from tools/data/custom.py
layout = 'shrec_hand'  # 'mediapipe_hand' has 21 joints; or your own: docs/custom_skeleton.md
num_person = 1  # hands per clip; of more than one, put SelectPersons first in the pipelines
train_pipeline = [
    dict(type='PrepareSkeleton', layout=layout),  # centre joint to the origin, height to 1
    # Augmentation, for small data sets: docs/augmentation.md.
    dict(type='RandomSkeletonRotation', angle=0.5, tilt=0.1),  # radians
    dict(type='RandomSkeletonScale', ratio=0.1),
    dict(type='RandomJointErasing', joints=0.5, frames=(0.3, 1.0), p=0.5),
    dict(type='SkeletonStream', layout=layout),  # joints, bones or motion: `stream` of the data set
    dict(type='UniformSampleFrames', clip_len=24),  # of a clip of any length
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=num_person),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
test_pipeline = [  # nothing random; read by MMAction2's inference API as well
    dict(type='PrepareSkeleton', layout=layout),
    dict(type='SkeletonStream', layout=layout),
    dict(type='UniformSampleFrames', clip_len=24, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=num_person),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_dataloader = dict(
    batch_size=16,  # per GPU
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', ann_file=ann_file, split='train', pipeline=train_pipeline),
)
val_dataloader = test_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file=ann_file,
        split='val',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

# --- Network --------------------------------------------------------------------------------------
model = dict(
    type='STFEnsemble',  # the members' probabilities are averaged
    shared=dict(
        type='STFRecognizer',
        backbone=dict(
            type='STFGCN',  # MS-G3D with STF modules
            graph_cfg=dict(layout=layout, mode='binary_adj'),
            in_channels=4,  # x, y, z and visibility
            base_channels=12,  # widths of the three blocks: 1, 2 and 4 times this
            num_gcn_scales=3,  # hops of the graph convolution
            num_g3d_scales=2,  # hops within windows of frames
            num_person=num_person,
            stf_stages=(1, 2, 3, 4, 5, 6),  # which of the six STF modules are on; () is MS-G3D
        ),
        cls_head=dict(type='STFHead', num_classes=14, in_channels=48),  # 4 base_channels
    ),
    members=[
        dict(
            name='focus',
            cls_head=dict(
                loss_divergence=dict(type='STFDivergenceLoss', loss_weight=0.1),
                loss_coherence=dict(type='STFCoherenceLoss', loss_weight=0.1),
                loss_adjacency=dict(type='STFAdjacencyLoss', loss_weight=0.01),
            ),
        ),
        dict(
            name='explore',
            cls_head=dict(loss_exploration=dict(type='STFExplorationLoss', loss_weight=0.01)),
        ),
    ],
)

# --- Schedule: 40 epochs of the baseline, then 6 of the STF objectives at 1e-3, 5e-4, 1e-4 -------
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=46, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=40, end=40, eta_min=1e-3, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[42], gamma=0.5),
    dict(type='MultiStepLR', milestones=[44], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=40)]
auto_scale_lr = dict(enable=False, base_batch_size=16)  # what lr is meant for, over all GPUs
val_evaluator = test_evaluator = [dict(type='MemberAccMetric')]
