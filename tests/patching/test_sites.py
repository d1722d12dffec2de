"""Which sites a map has, under which names, and what it refuses."""

import json

import pytest
import torch

from interp_lab.interventions import patches
from interp_lab.models import load_model
from interp_lab.patching.sites import OWN_GROUPS, map_patches, own_groups, roles_that_matter, site_map
from interp_lab.tasks import pairs_for
from interp_lab.types import Site
from tests.patching.results import grammar_model
from tests.tasks.reading import grammar_reader


@pytest.fixture(scope="module")
def model():
    return grammar_model(n_layers=2)


@pytest.fixture(scope="module")
def pairs(model):
    return pairs_for(model, "grammar/facts", 24, seed=0, reserved=False)


def of_one_template(pairs):
    """Pairs of the first template, in which nothing but the country and the answer varies its length."""
    length = int(pairs.mask[0].sum())
    rows = [
        nth
        for nth in range(len(pairs))
        if pairs.templates[nth] == pairs.templates[0] and int(pairs.mask[nth].sum()) == length
    ]
    return pairs.rows(rows)


class TestRoles:
    def test_places_before_any_difference_are_left_out(self, pairs):
        """BOS is the same in both runs."""
        assert pairs.common_roles() == ("start", "country", "changed", "end")
        assert roles_that_matter([pairs]) == ("country", "end")

    def test_what_is_left_out_is_the_same_in_both_runs(self, model, pairs):
        """Patched all the same, by the operation that does not look for a shared prefix, it changes not one bit."""
        site = [[Site("blocks.1.hook_resid_pre")]]
        start = pairs.roles["start"]
        (patch,) = patches(model, site, pairs.clean, base=pairs.corrupted, mask=pairs.mask, positions=start)
        (payload,) = patch.payloads
        (own,) = patches(model, site, pairs.corrupted, base=pairs.clean, mask=pairs.mask, positions=start)[0].payloads
        assert torch.equal(payload, own)
        assert bool((start < patch.since).all())

    def test_one_position_under_two_names_is_one_column(self, pairs):
        assert torch.equal(pairs.roles["country"], pairs.roles["changed"])
        assert "changed" not in roles_that_matter([pairs])

    def test_a_role_that_some_prompts_have_not_is_no_column(self, pairs):
        from dataclasses import replace

        roles = dict(pairs.roles)
        roles["country"] = roles["country"].clone()
        roles["country"][3] = -1
        assert roles_that_matter([pairs, replace(pairs, roles=roles)]) == ("changed", "end")


class TestMaps:
    def test_stream_by_role(self, model, pairs):
        found = site_map(model, "resid_post", [pairs], places="role")
        assert (found.rows, found.columns, found.shape) == (("0", "1"), ("country", "end"), (2, 2))
        assert found.cells[2:] == ((Site("blocks.1.hook_resid_post"),),) * 2
        assert found.cell_names()[-1] == "1.hook_resid_post at end"

    def test_heads(self, model, pairs):
        found = site_map(model, "z", [pairs], places="role")
        assert found.shape == (2, int(model.cfg.n_heads))
        assert found.cell_names() == ("0.0", "0.1", "1.0", "1.1")
        assert (found.row_title, found.column_title) == ("layer", "head")

    @pytest.mark.parametrize(
        ("name", "n_columns"), [("z", 4), ("q", 4), ("pattern", 4), ("k", 2), ("v", 2)], ids=lambda value: str(value)
    )
    def test_keys_and_values_of_a_grouped_query_model_have_fewer_columns(self, pairs, name, n_columns):
        grouped = grammar_model(n_heads=4, n_key_value_heads=2)
        found = site_map(grouped, name, [pairs], places="role")
        assert found.shape == (1, n_columns)
        assert found.cells[-1] == (Site(f"blocks.0.attn.hook_{name}", head=n_columns - 1),)
        map_patches(grouped, found, pairs, pairs.clean, base="corrupted")

    def test_heads_by_place(self, model, pairs):
        found = site_map(model, "z_by_place", [pairs], places="role")
        assert (found.rows, found.columns) == (("0.0", "0.1", "1.0", "1.1"), ("country", "end"))
        assert found.cell_names()[-1] == "1.1 at end"
        patch = map_patches(model, found, pairs, pairs.clean, base="corrupted")[-1]
        assert patch.sites == (Site.of_head(1, 1),)
        assert torch.equal(patch.positions, pairs.roles["end"])

    def test_neurons(self, model, pairs):
        found = site_map(model, "neurons", [pairs], places="role")
        assert found.shape == (2, int(model.cfg.d_mlp))
        assert found.cell_names()[-1] == f"1.mlp.hook_post#{int(model.cfg.d_mlp) - 1}"

    def test_patches_come_in_the_order_of_the_cells(self, model, pairs):
        found = site_map(model, "resid_pre", [pairs], places="role")
        made = map_patches(model, found, pairs, pairs.clean, base="corrupted")
        assert [patch.sites for patch in made] == list(found.cells)
        assert [torch.equal(patch.positions, pairs.roles["end"]) for patch in made] == [False, True, False, True]


class TestPositions:
    def test_tokens_stand_on_the_axis(self, model, pairs):
        one = of_one_template(pairs)
        found = site_map(model, "resid_pre", [one], places="position")
        first = one.token_labels(0)
        assert found.column_title == "token"
        assert len(found.columns) == int(one.mask[0].sum())
        assert found.columns[0] == f"0 {first[0]}"
        country = int(one.roles["country"][0])
        assert found.columns[country].split(" ")[:2] == [str(country), first[country]]
        assert "/" in found.columns[country]
        assert found.cells[country] == (Site("blocks.0.hook_resid_pre", position=country),)

    def test_dots_where_the_token_of_the_first_prompt_is_not_that_of_all(self, model, pairs):
        one = of_one_template(pairs)
        found = site_map(model, "resid_pre", [one], places="position")
        varies = (one.clean != one.clean[0]).any(0) | (one.corrupted != one.corrupted[0]).any(0)
        assert [label.endswith(" ...") for label in found.columns] == varies[: len(found.columns)].tolist()
        assert bool(varies.any())

    def test_several_templates(self, model, pairs):
        with pytest.raises(ValueError, match=r"needs prompts of one template, and these are of 8.*use places='role'"):
            site_map(model, "resid_pre", [pairs], places="position")

    def test_held_out_templates_are_others_too(self, model, pairs):
        apart = pairs_for(model, "grammar/facts", 8, seed=1, reserved=True)
        with pytest.raises(ValueError, match="of one template"):
            site_map(model, "resid_pre", [of_one_template(pairs), of_one_template(apart)], places="position")

    def test_prompts_of_several_lengths(self, model, tmp_path):
        lines = [
            {"clean": f"the capital of {words} is", "corrupted": f"the capital of {other} is", "answer": " Berlin",
             "wrong": " Paris", "template": "t"}
            for words, other in (("Germany", "France"), ("the Germany", "the France"))
        ]  # fmt: skip
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        with pytest.raises(ValueError, match=r"of one length, and these have \d+ to \d+ tokens; use places='role'"):
            site_map(model, "resid_pre", [pairs_for(grammar_reader(), str(path))], places="position")


class TestOwnGroups:
    def test_are_patched_together_and_go_by_their_name(self, model, pairs):
        found = own_groups({"movers": ("1.0", "1.1"), "what comes in": ("0.hook_mlp_out@-1",)})
        assert (found.name, found.rows, found.shape) == (OWN_GROUPS, ("movers", "what comes in"), (2, 1))
        assert found.cell_names() == ("movers (1.0+1.1)", "what comes in (0.hook_mlp_out@-1)")
        first, second = map_patches(model, found, pairs, pairs.clean, base="corrupted")
        assert first.sites == (Site.of_head(1, 0), Site.of_head(1, 1))
        assert second.sites == (Site("blocks.0.hook_mlp_out", position=-1),)

    @pytest.mark.parametrize(
        ("group", "message"),
        [
            (("1.7",), r"head 7 is out of range .* use 0 to 1"),
            (("5.0",), "layer 5 of .* is out of range: the model has layers 0 to 1"),
            (("0.hook_mlp_uot",), r"no hook point 'blocks.0.hook_mlp_uot'; did you mean 'blocks.0.hook_mlp_out'"),
            (("1.0", "1.0"), "names 1.0 twice"),
            (("1.0", "1.0@3"), "the group 1.0[+]1.0@3 names 1.0 and 1.0@3, which overlap"),
            (("1.0@99",), "position of .* is 99, outside the"),
        ],
        ids=[
            "no such head",
            "no such layer",
            "no such hook point",
            "duplicate sites",
            "overlapping sites",
            "outside the prompt",
        ],
    )
    def test_that_the_model_or_the_prompts_have_not(self, model, pairs, group, message):
        with pytest.raises(ValueError, match=message):
            map_patches(model, own_groups({"mine": group}), pairs, pairs.clean, base="corrupted")

    def test_key_of_a_query_head_on_a_grouped_query_model(self, pairs):
        grouped = grammar_model(n_heads=4, n_key_value_heads=2)
        with pytest.raises(ValueError, match=r"use 0 to 1 \(keys and values are shared: 2 for 4 query heads\)"):
            map_patches(grouped, own_groups({"k": ("0.attn.hook_k[3]",)}), pairs, pairs.clean, base="corrupted")


class TestModelsThatLackAHook:
    @pytest.mark.parametrize("name", ["neurons", "mlp_out", "resid_mid"])
    def test_attention_alone(self, name):
        attention_only = load_model("organism-attn")
        pairs = pairs_for(attention_only, "induction", 16, seed=0, reserved=False)
        with pytest.raises(
            ValueError, match=f"the model has no MLPs, which the map '{name}' is of; leave '{name}' out"
        ):
            site_map(attention_only, name, [pairs], places="role")
