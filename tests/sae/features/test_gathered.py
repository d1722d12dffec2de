"""What one pass keeps equals what one finds who holds everything, however the text is cut into batches."""

import numpy as np
import pytest

from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.events import mixed
from interp_lab.sae.features.gathered import DRAWN_PER_BIN, gathering
from interp_lab.sae.features.moments import EDGES
from tests.oracles import features as oracle
from tests.sae.features.drawn import CONFIG, drawn

DATA = drawn()
CUTS = {"one batch": [], "windows": list(range(16, 192, 16)), "uneven": [32, 112, 128]}


WAYS = {**CUTS, **{f"joined, {name}": cuts for name, cuts in CUTS.items() if cuts}}


@pytest.fixture(params=WAYS.items(), ids=WAYS)
def found(request):
    """One pass over batches, or a pass over each of them, joined: all that is tested here must be the same."""
    name, cuts = request.param
    return DATA.joined(cuts) if name.startswith("joined") else DATA.gathered(cuts)


class TestMoments:
    def test_are_those_of_all_values(self, found):
        own = found.moments
        columns = (own.density, own.n_active, own.mean, own.std, found.top.value[:, 0], own.in_documents)
        np.testing.assert_allclose(np.stack(columns, 1), oracle.moments(DATA.latents, DATA.documents), atol=1e-7)

    def test_documents_are_counted_once_though_they_go_on_in_the_next_batch(self, found):
        assert found.moments.n_documents == len(set(DATA.documents.tolist()))
        assert found.moments.n_tokens == len(DATA.tokens)

    def test_histogram(self, found):
        np.testing.assert_array_equal(found.moments.counts, oracle.histogram(DATA.latents, EDGES))

    def test_quantiles_are_within_a_bin_of_the_exact_ones(self, found):
        shares = np.array([0.1, 0.5, 0.9, 1.0])
        own = found.moments.quantiles(shares, largest=found.top.value[2:, 0].astype(float), latents=range(2, 7))
        exact = np.stack(
            [np.quantile(c[c > 0], shares, method="inverted_cdf") for c in DATA.latents[:, 2:].T.astype(float)]
        )
        assert (own <= exact * 2 ** (1 / 8)).all()
        assert (own >= exact / 2 ** (1 / 8)).all()
        np.testing.assert_allclose(own[:, -1], exact[:, -1])

    def test_a_latent_that_is_never_active_has_no_quantiles(self, found):
        assert np.isnan(found.moments.quantiles(np.array([0.5]), largest=np.zeros(1), latents=range(1))).all()


def check_kept(kept, latent, keys):
    column = DATA.latents[:, latent]
    rows = oracle.best_of_documents(column, DATA.documents, keys, kept.n_kept)
    n = len(rows)
    assert (kept.document[latent, n:] == -1).all()
    assert kept.document[latent, :n].tolist() == DATA.documents[rows].tolist()
    assert kept.position[latent, :n].tolist() == DATA.positions[rows].tolist()
    assert kept.value[latent, :n].tolist() == column[rows].tolist()
    for slot, row in enumerate(rows):
        begin, tokens, values = oracle.context(
            row, column, DATA.tokens, DATA.spans, before=CONFIG.before, after=CONFIG.after
        )
        assert kept.begin[latent, slot] == begin
        own = kept.tokens[latent, slot]
        assert own[own >= 0].tolist() == own[: len(tokens)].tolist() == tokens
        assert kept.values[latent, slot, : len(tokens)].tolist() == values


class TestKept:
    @pytest.mark.parametrize("latent", range(7))
    def test_top_is_the_largest_of_each_document(self, found, latent):
        check_kept(found.top, latent, -DATA.latents[:, latent].astype(float))

    @pytest.mark.parametrize("latent", range(7))
    def test_drawn_are_those_with_the_least_draws(self, found, latent):
        draw = (mixed(CONFIG.seed, latent, DATA.documents, DATA.places) >> np.uint64(11)) * 2.0**-53
        assert found.drawn.n_kept == 3 * DRAWN_PER_BIN
        check_kept(found.drawn, latent, draw)

    def test_another_seed_draws_others(self):
        other = DATA.gathered([], CONFIG.overlaid({"seed": 6}))
        assert (other.drawn.position != DATA.gathered([]).drawn.position).any()
        np.testing.assert_array_equal(other.top.position, DATA.gathered([]).top.position)


class TestDraws:
    def test_look_uniform(self):
        draws = (mixed(0, np.arange(20_000), 3) >> np.uint64(11)) * 2.0**-53
        assert abs(draws.mean() - 0.5) < 0.01
        assert np.histogram(draws, 10, (0, 1))[0] == pytest.approx(2000, abs=200)

    def test_depend_on_every_column_and_on_their_order(self):
        assert len({int(mixed(*columns)[0]) for columns in [(1, 2, 3), (1, 3, 2), (0, 2, 3), (1, 2), (1, 2, 4)]}) == 5


class TestSampled:
    def test_all_tokens_are_held_where_the_budget_lasts(self, found):
        table = found.sampled.table()
        np.testing.assert_array_equal(table.active.toarray(), DATA.latents)
        np.testing.assert_array_equal(table.token, DATA.tokens)

    @pytest.mark.parametrize("gathered", [DATA.gathered, DATA.joined], ids=["one pass", "joined"])
    @pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
    def test_a_small_budget_holds_the_same_tokens_whatever_the_batches(self, cuts, gathered):
        config = DescribeConfig.from_mapping({**CONFIG.as_dict(), "sample_bytes": 3000})
        held = gathered(cuts, config).sampled
        assert held.halvings == DATA.gathered([], config).sampled.halvings
        assert held.n_bytes <= 3000
        assert held.halvings > 0
        draw = np.broadcast_to(mixed(config.seed, DATA.documents, DATA.places), DATA.tokens.shape)
        np.testing.assert_array_equal(
            held.table().active.toarray(), DATA.latents[draw < np.uint64(2 ** (64 - held.halvings))]
        )

    def test_a_budget_is_used_to_more_than_a_quarter(self):
        config = DescribeConfig.from_mapping({**CONFIG.as_dict(), "sample_bytes": 3000})
        assert DATA.gathered([], config).sampled.n_bytes > 750

    @pytest.mark.parametrize("latent", range(1, 7))
    def test_tokens(self, found, latent):
        table = found.sampled.table()
        rows = table.tokens_of(range(latent, 7), table.active.tocsc())
        own = {
            int(t): (int(c), m, s, lift)
            for at, t, c, m, s, lift in zip(
                rows.latent, rows.token, rows.count, rows.mean_value, rows.share, rows.lift, strict=True
            )
            if at == latent
        }
        wanted = oracle.token_rows(DATA.latents[:, latent], DATA.tokens)
        assert own.keys() == wanted.keys()
        for token, values in wanted.items():
            assert own[token] == pytest.approx(values)
        assert rows.entropy(range(latent, 7))[0] == pytest.approx(oracle.entropy([v[2] for v in wanted.values()]))
        top, rank = rows.top(2)
        best = sorted(wanted, key=lambda token: (-wanted[token][2], token))[:2]
        assert top.token[top.latent == latent].tolist() == best
        assert rank[top.latent == latent].tolist() == [0, 1]

    @pytest.mark.parametrize("dense", [0.0, 1.0], ids=["dense products", "sparse products"])
    def test_coactivation_is_the_correlation_of_being_active(self, found, dense, monkeypatch):
        monkeypatch.setattr("interp_lab.sae.features.sampled.DENSE", dense)
        other, value = found.sampled.table().coactivation(range(2, 5), n=3)
        wanted = np.nan_to_num(oracle.phi(DATA.latents))[2:5]
        wanted[np.arange(3), np.arange(2, 5)] = 0
        for row in range(3):
            order = [at for at in np.argsort(-wanted[row], kind="stable")[:3] if wanted[row, at] > 0]
            assert other[row, : len(order)].tolist() == order
            assert value[row, : len(order)] == pytest.approx(wanted[row, order])
            assert (other[row, len(order) :] == -1).all()


def test_memory_does_not_grow_with_the_text():
    config = CONFIG.overlaid({"sample_bytes": 20_000})
    short, long = drawn(12).gathered([], config), drawn(120).gathered([], config)
    assert short.n_bytes - short.sampled.n_bytes == long.n_bytes - long.sampled.n_bytes
    assert max(short.sampled.n_bytes, long.sampled.n_bytes) <= 20_000


class TestJoining:
    @pytest.mark.parametrize("cuts", [cuts for cuts in CUTS.values() if cuts], ids=[k for k, v in CUTS.items() if v])
    def test_leaves_every_array_as_one_pass_does(self, cuts):
        """Sums of these values are exact, so that even their last bits agree."""
        one, other = DATA.gathered(cuts).arrays(), DATA.joined(cuts).arrays()
        assert one.keys() == other.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)

    def test_an_empty_section_changes_nothing(self):
        whole, nothing = DATA.gathered([]), gathering(DATA.latents.shape[1], CONFIG)
        nothing.join(whole)
        nothing.join(gathering(DATA.latents.shape[1], CONFIG))
        for name, value in DATA.gathered([]).arrays().items():
            np.testing.assert_array_equal(value, nothing.arrays()[name], err_msg=name)
