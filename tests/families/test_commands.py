"""`gendsl sample` and `gendsl eval` on a small trained run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gendsl.__main__ import main
from gendsl.cli.run import options_of
from gendsl.run.metrics_features import Features, frechet
from gendsl.run.reopen import reopen, run_manifest

PROGRAM = """\
# A small conditional VAE with codes beside it, for tests.
import codebook: nearest
import gaussian: reparameterize, kl_to_standard
import losses: gaussian_nll
import nn: dense

batch B
dim Z = 2

data x: [B, (C H W)] in 0..1 from digits
data y: [B] of fin[10] from digits

param codebook: [codes: 3, Z] init normal(mean = 0, var = 1)

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden: 32](x))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden: 32](z))
    return sigmoid(dense[(C H W)](h))

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    xhat = decoder(z)
    k = nearest(codebook, mu)
    term recon = mean[B](gaussian_nll(xhat, 0.04, x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl + 0 * mean[B](sum[Z](square(codebook[k])))
    show reconstruction = decoder(mu)
    show darker = (0.5 * x) in 0..1

claims neg_elbo:
    law:  z has law normal(mean = mu, var = exp(logvar))
    elbo: neg_elbo bounds nll(x)
        under z: normal(mean = 0, var = 1), x given z: normal(mean = xhat, var = 0.04),
        posterior normal(mean = mu, var = exp(logvar))

train:
    step neg_elbo over encoder, decoder with adam(lr = 3e-3)
    batch B = 64
    steps 100

sampler digits[N = 6](spread: real in 0..4 = 1.0) -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return decoder(spread * z)

sampler numbers[N = 4](y: [N] of fin[10] = cycle) -> [N]:
    return index(y)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "small.gml").write_text(PROGRAM)
    words = ["run", str(folder / "small.gml"), "--allow-refuted", "--out", str(folder / "run")]
    assert main(words) == 0
    yield folder / "run"


def sampled(run: Path, out: Path, *words: str) -> np.ndarray:
    assert main(["sample", str(run), *words, "--out", str(out)]) == 0
    return np.load(out)


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 1
    return capsys.readouterr().err


def test_samples_do_not_depend_on_how_many_are_drawn(run: Path, tmp_path: Path) -> None:
    many = sampled(run, tmp_path / "a.npy", "digits", "--n", "70")
    few = sampled(run, tmp_path / "b.npy", "--n", "6")
    other = sampled(run, tmp_path / "c.npy", "--n", "6", "--seed", "5")
    assert many.shape == (70, 64)
    np.testing.assert_allclose(many[:6], few, atol=1e-6)
    assert np.abs(other - few).max() > 0.01


def test_arguments_of_a_sampler_are_set(run: Path, tmp_path: Path) -> None:
    still = sampled(run, tmp_path / "a.npy", "--n", "3", "--set", "spread=0")
    assert np.abs(still - still[0]).max() == 0
    cycle = sampled(run, tmp_path / "b.npy", "numbers", "--n", "67")
    assert cycle.tolist() == [i % 10 for i in range(67)]
    seven = sampled(run, tmp_path / "c.npy", "numbers", "--n", "3", "--set", "y=7")
    assert seven.tolist() == [7, 7, 7]


def test_pictures_go_to_the_run_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(run), "--n", "5", "--format", "json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["shape"] == [5, 64] and line["step"] == 100
    assert Path(line["file"]).read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_sampled_says_so(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "E1042" in failure(capsys, "sample", str(tmp_path))
    assert "did you mean `digits`" in failure(capsys, "sample", str(run), "digit")
    assert "E1082" in failure(capsys, "sample", str(run), "--set", "spraed=1")
    assert "E1082" in failure(capsys, "sample", str(run), "numbers", "--set", "y=-1")
    beyond = failure(capsys, "sample", str(run), "numbers", "--set", "y=10")
    assert "E1082" in beyond and "0 to 9" in beyond
    outside = failure(capsys, "sample", str(run), "--set", "spread=-1")
    assert "E1082" in outside and "0..4" in outside and "--set spread=0.0" in outside
    assert "E1083" in failure(capsys, "sample", str(run), "--out", str(tmp_path / "a.gif"))
    assert "E1083" in failure(capsys, "sample", str(run), "numbers", "--out", "a.png")


def test_eval_measures_what_the_program_declares(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(run), "--n", "64", "--k", "8", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    values = {m["name"]: m["value"] for m in found["measured"]}
    recorded = json.loads((run / "manifest.json").read_text())["progress"]["held_out"]
    assert values["neg_elbo"] == pytest.approx(recorded["neg_elbo"], rel=1e-5)
    assert values["neg_elbo"] == pytest.approx(
        values["neg_elbo.recon"] + values["neg_elbo.kl"], rel=1e-5
    )
    # One draw of the bound is the loss up to the spread of its KL term; more draws are tighter.
    assert values["neg_elbo: negative ELBO"] == pytest.approx(values["neg_elbo"], abs=1)
    assert values["neg_elbo: IWAE-8"] < values["neg_elbo: negative ELBO"]
    assert 0 <= values["neg_elbo: active units"] <= 2
    assert 1 <= values["neg_elbo.k: perplexity"] <= 3
    assert values["neg_elbo.k: dead codes"] in (0, 1, 2)
    assert values["reconstruction: PSNR"] > 5
    assert "darker: PSNR" not in values  # no parameter has a part in it
    assert values["digits: Fréchet distance"] > 0
    drawn = {Path(p).name for p in found["pictures"]}
    assert drawn == {"traversal-digits.png", "interpolation-digits.png", "nearest-digits.png"}
    assert json.loads((run / "eval.json").read_text()) == found


def test_real_examples_in_place_of_samples_are_random_ones(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first ones come from few writers, hence are no draw from the data."""
    assert main(["eval", str(run), "--n", "64", "--no-pictures", "--format", "json"]) == 0
    (found,) = [
        m
        for m in json.loads(capsys.readouterr().out)["measured"]
        if m["name"] == "digits: the same of 64 training examples"
    ]
    assert "mean of 20 random choices" in found["note"]
    examples = reopen(run, options_of(run_manifest(run)["command"]), False).job.examples
    assert examples is not None
    real = examples.train(np.arange(examples.train_count))["x"]
    features = Features.of(real)
    train = features(real)
    held_out = features(examples.held_out(np.arange(examples.held_out_count))["x"])
    chosen = np.random.default_rng(1)
    draws = [frechet(chosen.permutation(train)[:64], held_out) for _ in range(20)]
    close = np.std(draws)  # the error of either mean is a quarter of it
    assert found["value"] == pytest.approx(np.mean(draws), abs=close)
    assert frechet(train[:64], held_out) > np.mean(draws) + 3 * close


def test_eval_of_the_training_part(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", str(run), "--split", "train", "--k", "1", "--n", "10", "--no-pictures"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "1,438 examples (train)" in text and "wrote" not in text
    assert "they are among the examples that they are compared with" in text


def test_bits_per_dimension_needs_a_discretised_likelihood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = PROGRAM.replace(
        "gaussian_nll(xhat, 0.04, x)", "discretised_logistic_nll(xhat, -2, x)"
    )
    program = program.replace(
        "import losses: gaussian_nll", "import losses: discretised_logistic_nll"
    )
    start, end = program.index("    elbo: "), program.index("train:")
    program = program[:start] + program[end:]
    (tmp_path / "bits.gml").write_text(program)
    out = tmp_path / "run"
    assert main(["run", str(tmp_path / "bits.gml"), "--steps", "2", "--out", str(out)]) == 0
    assert main(["eval", str(out), "--no-pictures", "--n", "8", "--format", "json"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    values = {m["name"]: m["value"] for m in json.loads(line)["measured"]}
    bits = values["neg_elbo"] / 64 / np.log(2)
    assert values["neg_elbo: bits per dim"] == pytest.approx(bits)
    assert not any("IWAE" in name for name in values)
