# Objectives of generator and discriminator. Scores are unbounded reals.

# Least squares (Mao et al. 2017): real scores go to 1, fake ones to 0.
fn lsgan_discriminator(real_score: [..s], fake_score: [..s]) -> real:
    return mse[..](real_score, 1) + mse[..](fake_score, 0)

fn lsgan_generator(fake_score: [..s]) -> real:
    return mse[..](fake_score, 1)

# Non-saturating (Goodfellow et al. 2014), scores are logits, in nats.
fn gan_discriminator(real_score: [..s], fake_score: [..s]) -> real:
    return mean[..s](softplus(-real_score)) + mean[..s](softplus(fake_score))

fn gan_generator(fake_score: [..s]) -> real:
    return mean[..s](softplus(-fake_score))

# Hinge (Lim & Ye 2017).
fn hinge_discriminator(real_score: [..s], fake_score: [..s]) -> real:
    return mean[..s](relu(1 - real_score)) + mean[..s](relu(1 + fake_score))

fn hinge_generator(fake_score: [..s]) -> real:
    return -mean[..s](fake_score)

# Wasserstein (Arjovsky et al. 2017); the gradient penalty (Gulrajani et al. 2017) of gradients g
# with respect to inputs between real and fake ones.
fn critic(real_score: [..s], fake_score: [..s]) -> real:
    return mean[..s](fake_score) - mean[..s](real_score)

fn gradient_penalty(g: [..b, D]) -> [..b]:
    return square(sqrt(sum[D](square(g)) + 1e-12) - 1)

# The score of what a generator makes of noise.
fn score_of_fake(
    judge: net(x: [..s]) -> [..s],
    generator: net(z: [..s]) -> [..s],
    z: [..s],
) -> [..s]:
    return judge(generator(z))

claims score_of_fake(judge, generator, z):
    fake_is_d_of_g as fakeScore_eq_discriminator_generator: score_of_fake(judge, generator, z)
        == judge(generator(z))
    g_loss_of_nets as generatorLoss_eq_mse_fake_real:       lsgan_generator(
        score_of_fake(judge, generator, z),
    )
        == mse[..](judge(generator(z)), 1)
    g_loss_zero_of_nets:                                    given judge(generator(z)) == 1:
        lsgan_generator(score_of_fake(judge, generator, z)) == 0

claims lsgan_discriminator(real_score, fake_score):
    lsgan_d_nonneg:                                              lsgan_discriminator(
        real_score,
        fake_score,
    )
        >= 0
    lsgan_d_zero_iff:                                            lsgan_discriminator(
        real_score,
        fake_score,
    )
        == 0
        iff real_score == 1 and fake_score == 0
    lsgan_d_perfect as discriminatorLoss_zero_of_perfect_scores: given real_score == 1
        and fake_score == 0:
        lsgan_discriminator(real_score, fake_score) == 0
    lsgan_d_split as discriminatorLoss_eq_weightedThreeTerm:     lsgan_discriminator(
        real_score,
        fake_score,
    )
        == weighted_three_term(1, mse[..](real_score, 1), mse[..](fake_score, 0), 0)

claims lsgan_generator(fake_score):
    lsgan_g_nonneg:                                          lsgan_generator(fake_score) >= 0
    lsgan_g_zero_iff:                                        lsgan_generator(fake_score) == 0
        iff fake_score == 1
    lsgan_g_is_mse:                                          lsgan_generator(fake_score)
        == mse[..](fake_score, 1)
    lsgan_g_split as generatorLoss_eq_weightedTwoTerm:       lsgan_generator(fake_score)
        == weighted_two_term(1, mse[..](fake_score, 1), 0)
    lsgan_g_fooled as generatorLoss_zero_of_fake_score_real: given fake_score == 1:
        lsgan_generator(fake_score) == 0
    not_both_zero:                                           given lsgan_generator(fake_score) == 0:
        mse[..](fake_score, 0) == 1
    both_at_least:                                           lsgan_generator(fake_score)
        + mse[..](fake_score, 0)
        >= 0.5
    jensen_defect:                                           lsgan_generator(fake_score)
        - square(mean[..](fake_score - 1))
        == mean[..](square(fake_score - mean[..](fake_score)))
    mean_of_square:                                          square(mean[..](fake_score - 1))
        <= lsgan_generator(fake_score)

claims gan_discriminator(real_score, fake_score):
    gan_d_nonneg: gan_discriminator(real_score, fake_score) >= 0

claims gan_generator(fake_score):
    gan_g_nonneg: gan_generator(fake_score) >= 0

claims hinge_discriminator(real_score, fake_score):
    hinge_d_nonneg: hinge_discriminator(real_score, fake_score) >= 0

claims critic(real_score, fake_score):
    critic_of_equals:     critic(real_score, real_score) == 0
    critic_antisymmetric: critic(real_score, fake_score) == -critic(fake_score, real_score)

claims gradient_penalty(g):
    penalty_nonneg: gradient_penalty(g) >= 0
