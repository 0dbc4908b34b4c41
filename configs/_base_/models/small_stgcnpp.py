_base_ = './small_stgcn.py'

model = dict(
    backbone=dict(
        graph_cfg=dict(mode='spatial'), gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'
    )
)
