# MS-G3D with six STF modules.
_base_ = './msg3d.py'

model = dict(backbone=dict(type='STFGCN', stf_stages=(1, 2, 3, 4, 5, 6)))
