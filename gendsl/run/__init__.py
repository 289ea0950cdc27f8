"""Running compiled programs: noise, data order, the training loop, checkpoints, pictures.

This is the only package of gendsl that may load torch, pillow, safetensors and rich (the extra
`train`), and only inside functions: importing it loads numpy and nothing heavier. Everything
random in a run comes from `gendsl.noise`.
"""
