import pytest
import torch

from interp_lab.metrics import (
    kl_divergence,
    log_probability,
    logit_difference,
    next_token_loss,
    probability_difference,
    rank,
    require_finite,
    user_metric,
)

BATCH, POS, VOCAB = 4, 6, 11


def random_logits(seed=0, dtype=torch.float32):
    return torch.randn(BATCH, POS, VOCAB, generator=torch.Generator().manual_seed(seed)).to(dtype)


TOKENS = torch.arange(BATCH * POS).reshape(BATCH, POS) % VOCAB
ANSWERS, WRONG = torch.tensor([1, 5, 10, 0]), torch.tensor([2, 6, 3, 4])
PER_EXAMPLE = torch.tensor([0, 3, -1, -6])

METRICS = {
    "logit difference": logit_difference(ANSWERS, WRONG),
    "logit difference, ragged": logit_difference([[1, 2], [3], [4, 5, 6], [7]], [[0], [1, 2], [3], [8]]),
    "logit difference, per example": logit_difference(ANSWERS, WRONG, positions=PER_EXAMPLE),
    "probability difference": probability_difference(ANSWERS, WRONG, positions=2),
    "log-probability": log_probability(ANSWERS, positions=PER_EXAMPLE),
    "log-probability of several": log_probability(TOKENS[:, 3:], positions=torch.tensor([[2, 3, 4]] * BATCH)),
    "next-token loss": next_token_loss(TOKENS, first=torch.tensor([1, 2, 3, 4]), last=torch.tensor([1, -1, 3, -1])),
    "KL": kl_divergence(random_logits(9)),
    "KL at the end": kl_divergence(random_logits(9), positions=-1),
    "rank": rank(ANSWERS),
    "user": user_metric(
        lambda logits, answers: logits.mean(1).gather(1, answers[:, None])[:, 0],
        name="mean answer logit",
        unit="logits",
        data=(ANSWERS,),
    ),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())


class TestEveryMetric:
    @every_metric
    def test_reads_no_more_than_it_declares(self, metric):
        logits = random_logits()
        seen = torch.zeros(BATCH, POS, VOCAB, dtype=torch.bool)
        at = metric.absolute_positions(POS)
        for example in range(BATCH):
            positions = range(POS) if at is None else at[example].tolist()
            columns = slice(None) if metric.columns is None else metric.columns[example]
            for position in positions:
                seen[example, position, columns] = True
        assert not seen.all() or metric.name in ("KL divergence", "mean answer logit")
        elsewhere = torch.where(seen, logits, torch.full_like(logits, 1e3))
        assert (metric(elsewhere) == metric(logits)).all()

    @every_metric
    def test_gathered_logits_are_enough(self, metric):
        logits = random_logits()
        at = metric.absolute_positions(POS)
        read = logits if at is None else torch.stack([row[p] for row, p in zip(logits, at, strict=True)])
        if metric.columns is not None:
            read = torch.stack([row[:, c] for row, c in zip(read, metric.columns, strict=True)])
        assert (metric.gather(logits) == read).all()
        assert (metric.of_gathered(read) == metric(logits)).all()

    @every_metric
    @pytest.mark.parametrize("index", [torch.tensor([2, 0, 0, 3, 2]), slice(1, 3)], ids=["repeated", "slice"])
    def test_rows_of_the_metric_are_rows_of_its_values(self, metric, index):
        logits = random_logits()
        torch.testing.assert_close(metric.rows(index)(logits[index]), metric(logits)[index])

    @every_metric
    def test_rows_are_not_interchangeable(self, metric):
        logits = random_logits()
        backwards = torch.arange(BATCH - 1, -1, -1)
        assert not torch.allclose(metric.rows(backwards)(logits), metric(logits)), "the data of an example must matter"

    @every_metric
    def test_another_number_of_examples_is_refused(self, metric):
        with pytest.raises(ValueError, match=r"built for 4 examples and got logits of 3; .*metric\.rows"):
            metric(random_logits()[:3])

    @every_metric
    def test_nan_is_refused_naming_the_examples(self, metric):
        logits = random_logits()
        logits[1] = logits[3] = float("nan")
        with pytest.raises(ValueError, match=r"NaN or inf for 2 of 4 examples \(1, 3\)"):
            metric(logits)

    @every_metric
    def test_unchecked_it_passes_nan_on(self, metric):
        logits = random_logits()
        logits[1] = float("nan")
        values = metric(logits, checked=False)
        assert values[[0, 2, 3]].isfinite().all()

    @every_metric
    def test_half_precision_is_computed_in_float32(self, metric):
        logits = random_logits(dtype=torch.bfloat16)
        assert metric(logits).dtype == torch.float32
        assert (metric(logits) == metric(logits.float())).all()

    @pytest.mark.parametrize("name", sorted(METRICS.keys() - {"rank"}))  # a rank is piecewise constant
    def test_gradients_flow(self, name):
        metric = METRICS[name]
        logits = random_logits().requires_grad_()
        metric(logits).sum().backward()
        assert (logits.grad.flatten(1).abs().sum(1) > 0).all()

    @every_metric
    def test_to_moves_every_tensor(self, metric):
        moved = metric.to("meta")
        parts = [part for part in (moved.positions, moved.columns, *moved.data) if part is not None]
        assert parts
        assert {part.device.type for part in parts} == {"meta"}


class TestUserMetric:
    @pytest.mark.parametrize(
        ("fn", "got"),
        [
            (lambda logits: logits.mean(), r"shape \(\)"),
            (lambda logits: logits.mean((1, 2), keepdim=True), r"shape \(4, 1, 1\)"),
            (lambda logits: logits.mean((0, 2)), r"shape \(6,\)"),
            (lambda logits: logits.mean().item(), "float"),
        ],
        ids=["mean over everything", "axes kept", "mean over the batch", "a Python number"],
    )
    def test_one_number_for_the_batch_is_refused_with_the_remedy(self, fn, got):
        metric = user_metric(fn, name="mine", unit="logits")
        with pytest.raises(ValueError, match=rf"'mine' must return one number per example.*{got}.*not over the batch"):
            metric(random_logits())

    def test_one_number_for_a_batch_of_one_is_refused_too(self):
        with pytest.raises(ValueError, match=r"shape \(1,\), and returned shape \(\)"):
            user_metric(lambda logits: logits.mean(), name="mine", unit="logits")(random_logits()[:1])

    def test_without_data_it_fits_any_batch(self):
        metric = user_metric(lambda logits: logits[:, -1, 0], name="mine", unit="logits")
        assert metric.n_examples is None
        assert metric(random_logits()[:3]).shape == (3,)
        assert metric.rows(torch.tensor([5])).n_examples is None

    def test_counts_become_floats(self):
        metric = user_metric(lambda logits: logits[:, -1].argmax(-1), name="guess", unit="token")
        assert metric(random_logits()).dtype == torch.float32

    def test_data_of_different_lengths_is_refused(self):
        with pytest.raises(ValueError, match=r"data of metric 'mine' has \[4, 3\] rows"):
            user_metric(lambda logits: logits, name="mine", unit="", data=(torch.zeros(4), torch.zeros(3)))


class TestWhatDoesNotExist:
    @pytest.mark.parametrize(("position", "named"), [(6, r"\[6\]"), (-7, r"\[-7\]")])
    def test_positions_beyond_the_sequence_are_named(self, position, named):
        positions = torch.tensor([0, position, 5, -6])
        with pytest.raises(ValueError, match=rf"reads positions {named}, and the sequences have 6 tokens"):
            logit_difference(ANSWERS, WRONG, positions=positions)(random_logits())

    @pytest.mark.parametrize("position", [5, -6])
    def test_the_outermost_positions_exist(self, position):
        assert rank(ANSWERS, positions=position)(random_logits()).shape == (BATCH,)

    @pytest.mark.parametrize(
        "build",
        [lambda a: logit_difference(a, WRONG), lambda a: probability_difference(a, WRONG), log_probability, rank],
        ids=["logit difference", "probability difference", "log-probability", "rank"],
    )
    def test_tokens_outside_the_vocabulary_are_named(self, build):
        with pytest.raises(ValueError, match="reads token 11, which is outside the vocabulary of 11"):
            build(torch.tensor([1, 11, 5, 0]))(random_logits())
        with pytest.raises(ValueError, match="token -1 of example 2 is no token id"):
            build(torch.tensor([1, 0, -1, 0]))

    def test_positions_for_other_examples(self):
        with pytest.raises(ValueError, match="3 positions for 4 examples"):
            logit_difference([[1]] * 4, [[0]] * 4, positions=torch.tensor([1, 2, 3]))

    def test_no_examples(self):
        with pytest.raises(ValueError, match="no examples"):
            rank(torch.zeros(0, dtype=torch.long))


def test_require_finite_reads_the_last_axis_as_examples():
    values = torch.zeros(2, 3, 8)
    require_finite(values, what="effects")
    values[0, 1, 4] = values[1, 2, 4] = float("inf")
    with pytest.raises(ValueError, match=r"effects is NaN or inf for 1 of 8 examples \(4\)"):
        require_finite(values, what="effects")
