# The whole method: two networks, whose probabilities are averaged.
model = dict(
    type='STFEnsemble',
    shared=dict(
        type='STFRecognizer',
        backbone=dict(
            type='STFGCN',
            graph_cfg=dict(layout='nturgb+d', mode='binary_adj'),
            in_channels=4,  # x, y, z and visibility
            base_channels=96,
            num_gcn_scales=13,
            num_g3d_scales=6,
            num_person=2,
            stf_stages=(1, 2, 3, 4, 5, 6)),
        cls_head=dict(type='STFHead', num_classes=60, in_channels=384)),
    members=[
        dict(
            name='focus',
            cls_head=dict(
                loss_divergence=dict(
                    type='STFDivergenceLoss', loss_weight=0.1),
                loss_coherence=dict(type='STFCoherenceLoss', loss_weight=0.1),
                loss_adjacency=dict(
                    type='STFAdjacencyLoss', loss_weight=0.01))),
        dict(
            name='explore',
            cls_head=dict(
                loss_exploration=dict(
                    type='STFExplorationLoss', loss_weight=0.01)))
    ])
