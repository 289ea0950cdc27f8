# Vector quantisation (van den Oord, Vinyals & Kavukcuoglu 2017).

fn squared_distance(a: [..b, C], b: [..b, C]) -> [..b]:
    return sum[C](square(a - b))

# Squared distances to every code, by |z|^2 - 2 z.e + |e|^2.
fn squared_distances(codebook: [K, C], z: [..b, C]) -> [..b, K]:
    cross = contract[C](z, codebook)
    return sum[C](square(z)) - 2 * cross + sum[C](square(codebook))

# The index of a nearest code; the first one on ties. |z|^2 is the same for every code; with it, the
# rounding of a large |z|^2 would decide between codes.
fn nearest(codebook: [K, C], z: [..b, C]) -> [..b] of fin[K]:
    cross = contract[C](z, codebook)
    return argmin[K](sum[C](square(codebook)) - 2 * cross)

# Averages of a codebook by exponential decay: counts and sums of the inputs of each code.
fn ema(decay: real, old: [..s], new: [..s]) -> [..s]:
    return decay * old + (1 - decay) * new

claims squared_distance(a, b):
    distance_nonneg:   squared_distance(a, b) >= 0
    distance_to_self:  squared_distance(a, a) == 0
    distance_zero_iff: squared_distance(a, b) == 0 iff a == b

claims squared_distances(codebook, z):
    matmul_form:                                                  for all j in fin[K]:
        squared_distance(z, codebook[j])
        == sum[C](square(z)) - 2 * sum[C](z * codebook[j]) + sum[C](square(codebook[j]))
    nearest_minimizes as nearestCode_minimizes_quantization_loss: for all j in fin[K]:
        squared_distance(z, codebook[nearest(codebook, z)]) <= squared_distance(z, codebook[j])
    exact_is_nearest as exactCodeMatch_isNearestCode:             for all k in fin[K]:
        for all j in fin[K]: given z == codebook[k]:
        squared_distance(z, codebook[k]) <= squared_distance(z, codebook[j])
    exact_distance as exactCodeMatch_selected_distance_zero:      for all k in fin[K]:
        given z == codebook[k]: squared_distance(z, codebook[k]) == 0
