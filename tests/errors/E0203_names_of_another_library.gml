# Functions as other libraries call them.
batch B
data x: [B, D] in 0..1 from digits
param w: [D]

objective o:
    a = nn.Linear(3)
    b = randn(3)
    c = x.sum()
    d = torch.matmul(x, w)
    minimize sum[..](square(w))
