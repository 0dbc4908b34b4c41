# The member that learns with divergence, coherence and adjacency.
_base_ = './stf_gcn.py'

model = dict(
    cls_head=dict(
        loss_divergence=dict(type='STFDivergenceLoss', loss_weight=0.1),
        loss_coherence=dict(type='STFCoherenceLoss', loss_weight=0.1),
        loss_adjacency=dict(type='STFAdjacencyLoss', loss_weight=0.01),
    )
)
