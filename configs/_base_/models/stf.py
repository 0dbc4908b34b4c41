# The whole method: two networks, whose probabilities are averaged.
_base_ = './stf_gcn.py'

model = dict(
    _delete_=True,
    type='STFEnsemble',
    shared={{_base_.model}},
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
