"""Which sites share elements of an activation: counted element by element, and worked by hand."""

from itertools import product

import pytest
import torch

from interp_lab.hooks import site_index
from interp_lab.interventions import Combined, Intervention, Op, require_apart, require_members_apart, sites_overlap
from interp_lab.types import Site

N_POS = 7
HEADS = [
    Site("blocks.0.attn.hook_z", head=head, position=position, latent=latent)
    for head, position, latent in product((None, 0, 1), (None, 3, -4, 2), (None, 0, 1))
]
"""At length 7, position -4 is position 3."""


def touched(site):
    activation = torch.zeros(1, N_POS, 2, 2)
    activation[site_index(activation, site)] = 1
    return activation.bool()


class TestSites:
    def test_overlap_where_an_element_is_touched_by_both(self):
        for one, other in product(HEADS, HEADS):
            expected = bool((touched(one) & touched(other)).any())
            assert sites_overlap(one, other, n_pos=N_POS) is expected, (str(one), str(other))

    def test_position_from_the_end_is_another_one_in_longer_prompts(self):
        one, other = Site.of_head(0, 0, position=3), Site.of_head(0, 0, position=-4)
        assert sites_overlap(one, other, n_pos=7)
        assert not sites_overlap(one, other, n_pos=8)

    def test_of_another_hook_point_never(self):
        assert not sites_overlap(Site("blocks.0.hook_attn_out"), Site("blocks.1.hook_attn_out"), n_pos=N_POS)

    def test_are_refused_with_both_their_names(self):
        with pytest.raises(ValueError, match=r"the set names 0\.0 and 0\.0@3, which overlap in 7 tokens"):
            require_apart(
                [Site.of_head(0, 0), Site.of_head(0, 1), Site.of_head(0, 0, position=3)], n_pos=7, what="the set"
            )
        with pytest.raises(ValueError, match=r"the set names 0\.0 twice"):
            require_apart([Site.of_head(0, 0)] * 2, n_pos=7, what="the set")
        require_apart([Site.of_head(0, 0, position=2), Site.of_head(0, 0, position=3)], n_pos=7, what="the set")


def cut(site, **options):
    return Intervention((site,), Op.REPLACE, (torch.zeros(()),), f"cut {site}", **options)


class TestMembers:
    @pytest.mark.parametrize(
        ("one", "other", "place"),
        [
            (Site.of_head(0, 0), Site.of_head(0, 0, position=3), "0.0 and 0.0@3"),
            (Site.of_head(0, 0, position=-4), Site.of_head(0, 0, position=3), "0.0@-4 and 0.0@3"),
            (Site("blocks.0.attn.hook_z"), Site.of_head(0, 1), r"0.attn.hook_z and 0.1"),
            (Site("blocks.0.mlp.hook_post"), Site("blocks.0.mlp.hook_post", latent=2), "hook_post and"),
        ],
        ids=["all positions", "from the end", "all heads", "all neurons"],
    )
    def test_that_overlap_are_refused(self, one, other, place):
        for pair in ([cut(one), cut(other)], [cut(other), cut(one)]):
            with pytest.raises(ValueError, match=r"both act on .*the later would undo the earlier"):
                require_members_apart(pair, n_pos=7)
        with pytest.raises(ValueError, match=place):
            require_members_apart([cut(one), cut(other)], n_pos=7)

    def test_at_positions_of_each_prompt_overlap_if_any_prompt_has_both(self):
        site = Site.of_head(0, 0)
        here, there = (cut(site, positions=torch.tensor(at)) for at in ([2, 3, 4], [1, -4, 5]))
        with pytest.raises(ValueError, match=r"both act on 0\.0,"):
            require_members_apart([here, there], n_pos=7)
        require_members_apart([here, there], n_pos=8)  # the second prompt's -4 is position 4 there

    def test_behind_gates_overlap_only_where_both_are_open(self):
        site = Site.of_head(0, 0)
        here, there = (cut(site, gate=torch.tensor(gate)) for gate in ([True, False], [False, True]))
        require_members_apart([here, there], n_pos=7)
        with pytest.raises(ValueError, match="both act on"):
            require_members_apart([here, cut(site)], n_pos=7)

    def test_latents_of_two_dictionaries_are_never_apart(self):
        class Same:
            def encode(self, activation):
                return activation

            def decode(self, latents):
                return latents

        site, one, other = "blocks.0.hook_attn_out", Same(), Same()
        first, second = Site(site, latent=0), Site(site, latent=1)
        require_members_apart([cut(first, codec=one), cut(second, codec=one)], n_pos=7)
        with pytest.raises(ValueError, match="both act on"):
            require_members_apart([cut(first, codec=one), cut(second, codec=other)], n_pos=7)

    def test_parts_of_what_is_combined_count(self):
        pair = Combined((cut(Site.of_head(0, 0)), cut(Site.of_head(1, 0))), "pair")
        with pytest.raises(ValueError, match=r"'pair' and 'cut 1.0@2' both act on 1.0 and 1.0@2"):
            require_members_apart([pair, cut(Site.of_head(1, 0, position=2))], n_pos=7)
