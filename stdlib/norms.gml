# Euclidean distances and norms: what bounds on the steps of samplers are made of.

fn distance[..s](x: [..s], y: [..s]) -> real:
    return l2[..s](x - y)

fn scaled_norm[..s](c: real, x: [..s]) -> real:
    return l2[..s](c * x)

claims distance(x, y):
    distance_symmetric:   distance[..](x, y) == distance[..](y, x)
    distance_same:        distance[..](x, x) == 0
    triangle_inequality:  l2[..](x + y) <= l2[..](x) + l2[..](y)
    cauchy_schwarz:       sum[..](x * y) <= l2[..](x) * l2[..](y)
    cauchy_schwarz_plain: square(sum[..](x * y)) <= sum[..](square(x)) * sum[..](square(y))

claims scaled_norm(c, x):
    norm_homogeneous: scaled_norm[..](c, x) == abs(c) * l2[..](x)
