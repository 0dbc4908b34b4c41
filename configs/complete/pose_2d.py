# 2D poses with scores: 18 joints of OpenPose, two persons.
# Everything in one file, to copy and edit; the same as configs/stf_msg3d_k400_j.py.
_base_ = 'mmaction::_base_/default_runtime.py'  # hooks, logging, visual back ends

custom_imports = dict(imports=['stf_mmaction'], allow_failed_imports=False)
# On CUDA: TF32 for matrix products ('highest' turns it off), cuDNN's search for convolutions.
float32_matmul_precision = 'high'
env_cfg = dict(cudnn_benchmark=True)
cuda_graph = True  # a training step on a GPU is recorded and replayed

# --- Data -----------------------------------------------------------------------------------------
ann_file = 'data/skeleton/k400_openpose.pkl'  # from tools/data/, or your own
layout = 'openpose'  # a built-in layout, a dict, or a JSON file: docs/custom_skeleton.md
num_person = 2  # per clip; those who are present longest and move most are kept
pipeline = [
    dict(type='SelectPersons', num_person=num_person),
    dict(type='PrepareSkeleton', layout=layout),  # centre joint to the origin, height to 1
    dict(type='SkeletonStream', layout=layout),  # joints, bones or motion: `stream` of the data set
    dict(type='PadTo', length=300),  # repeats the sequence
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=num_person),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
test_pipeline = pipeline  # read by MMAction2's inference API as well
train_dataloader = dict(
    batch_size=8,  # per GPU
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='SkeletonDataset', ann_file=ann_file, split='train', pipeline=pipeline),
)
val_dataloader = test_dataloader = dict(
    batch_size=16,
    num_workers=4,
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
            in_channels=3,  # x, y and score
            base_channels=96,  # widths of the three blocks: 1, 2 and 4 times this
            num_gcn_scales=8,  # hops of the graph convolution
            num_g3d_scales=8,  # hops within windows of frames
            num_person=num_person,
            stf_stages=(1, 2, 3, 4, 5, 6),  # which of the six STF modules are on; () is MS-G3D
        ),
        cls_head=dict(type='STFHead', num_classes=400, in_channels=384),  # 4 base_channels
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

# --- Schedule: 65 epochs of the baseline, then 15 of the STF objectives at 1e-3, 5e-4, 1e-4 ------
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=80, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[25, 40, 55], gamma=0.1),
    dict(type='MultiStepLR', milestones=[65], gamma=20),  # to 1e-3
    dict(type='MultiStepLR', milestones=[70], gamma=0.5),
    dict(type='MultiStepLR', milestones=[75], gamma=0.2),
]
custom_hooks = [dict(type='STFPhaseHook', warmup_epochs=65)]
auto_scale_lr = dict(enable=False, base_batch_size=32)  # what lr is meant for, over all GPUs
val_evaluator = test_evaluator = [dict(type='MemberAccMetric')]
