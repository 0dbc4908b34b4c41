# Ablation: coherence alone.
_base_ = './stf_msg3d_utd_mhad_j_cd.py'

model = dict(cls_head=dict(loss_divergence=None))
