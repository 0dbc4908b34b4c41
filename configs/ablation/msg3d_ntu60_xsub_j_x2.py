# Control: two baselines with different first weights, averaged.
_base_ = '../msg3d_ntu60_xsub_j.py'

model = dict(_delete_=True, type='STFEnsemble', shared={{_base_.model}}, members=[dict(), dict()])
