# A head with the losses of the member `focus`, for any network with STF
# modules.
stf_head = dict(
    type='STFHead',
    loss_divergence=dict(type='STFDivergenceLoss', loss_weight=0.1),
    loss_coherence=dict(type='STFCoherenceLoss', loss_weight=0.1),
    loss_adjacency=dict(type='STFAdjacencyLoss', loss_weight=0.01),
)
