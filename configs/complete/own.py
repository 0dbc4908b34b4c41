# Your own skeletons; here the 20 joints of Kinect v1, one person, few clips.
# Everything in one file, to copy and edit; the same as configs/stf_msg3d_demo_j.py.
_base_ = 'mmaction::_base_/default_runtime.py'  # hooks, logging, visual back ends

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
# On CUDA: TF32 for matrix products ('highest' turns it off), cuDNN's search for convolutions.
float32_matmul_precision = 'high'
env_cfg = dict(cudnn_benchmark=True)
cuda_graph = True  # a training step on a GPU is recorded and replayed

# --- Data -----------------------------------------------------------------------------------------
ann_file = 'tools/demo_data/ui_prmd_tiny.pkl'  # bundled; yours from tools/data/custom.py
metainfo = dict(  # names for pictures and tables; leave it out if your pickle has `classes`
    classes=(
        'deep squat',
        'hurdle step',
        'inline lunge',
        'side lunge',
        'sit to stand',
        'standing active straight leg raise',
        'standing shoulder abduction',
        'standing shoulder extension',
        'standing shoulder internal-external rotation',
        'standing shoulder scaption',
    )
)
layout = 'kinect20'  # a built-in layout, a dict, or a JSON file: docs/custom_skeleton.md
num_person = 1  # per clip; those who are present longest and move most are kept
train_pipeline = [
    dict(type='SelectPersons', num_person=num_person),
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
    dict(type='SelectPersons', num_person=num_person),
    dict(type='PrepareSkeleton', layout=layout),
    dict(type='SkeletonStream', layout=layout),
    dict(type='UniformSampleFrames', clip_len=24, test_mode=True),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=num_person),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
train_dataloader = dict(
    batch_size=16,  # per GPU
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='SkeletonDataset',
        ann_file=ann_file,
        split='train',
        pipeline=train_pipeline,
        metainfo=metainfo,
    ),
)
val_dataloader = test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SkeletonDataset',
        ann_file=ann_file,
        split='val',
        pipeline=test_pipeline,
        test_mode=True,
        metainfo=metainfo,
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
        cls_head=dict(type='STFHead', num_classes=10, in_channels=48),  # 4 base_channels
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

# --- Schedule: 24 epochs of the baseline, then 6 of the STF objectives at 1e-3, 5e-4, 1e-4 ------
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_interval=50)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
param_scheduler = [  # one cosine down to 1e-3, then steps
    dict(type='CosineAnnealingLR', T_max=24, end=24, eta_min=1e-3, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[26], gamma=0.5),
    dict(type='MultiStepLR', milestones=[28], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=24)]
auto_scale_lr = dict(enable=False, base_batch_size=16)  # what lr is meant for, over all GPUs
val_evaluator = test_evaluator = [dict(type='MemberAccMetric')]
default_hooks = dict(
    # At the end of the baseline phase, and at the very end.
    checkpoint=dict(interval=24, save_best=None),
    logger=dict(interval=6),
)
