"""Which heads attend along syntactic and semantic relations, and what does ablating them do to the answer?"""

from collections.abc import Sequence

from interp_lab.attention.relations.acts import RelationEffects, relation_effects
from interp_lab.attention.relations.carriers import RelationHeads, relation_attentions
from interp_lab.attention.relations.config import AttentionRelationsConfig, ContrastConfig
from interp_lab.attention.relations.places import Relation, relations_named
from interp_lab.attention.relations.prompts import RelationPrompts, relation_prompts
from interp_lab.attention.relations.result import AttentionRelationsResult
from interp_lab.attention.relations.role_attention import RoleAttention, role_attention, rows_by_latent
from interp_lab.bibliography import BENJAMINI_1995, WANG_2022
from interp_lab.claims import Split
from interp_lab.experiment import Progress, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.tasks import Pairs, grammar_pairs, pairs_for
from interp_lab.tasks.grammar import PREFIX
from interp_lab.types import HookedModel

NAME = "attention_relations"
"""In the registry, and at the head of every config file."""


class AttentionRelations(ModelExperiment[AttentionRelationsConfig, AttentionRelationsResult]):
    """Look for heads that attend along relations; ablate every head and see whether the answer suffers.

    Heads are chosen on half of the prompts; attention and effects are reported on the other half and again on held-out
    templates. The controls of an ablation are the other heads that do not carry the relation, each alone; heads that
    carry the same one are ablated together, against random sets of as many others. The spread of controls counts.
    """

    name = NAME
    result = AttentionRelationsResult
    sources = (WANG_2022, BENJAMINI_1995)

    def measure(
        self, model: HookedModel, *, relations: Sequence[Relation] | None = None, progress: Progress = silent
    ) -> AttentionRelationsResult:
        """Measure on a model already in memory.

        Args:
            relations: your own, in place of those that the config names.

        Raises: ValueError, for no relations, a task that does not suit the model, too few templates or prompts, a
            value that no prompt of a contrast has, or a name in `chosen` that is of no head along a relation; as
            `relation_attention` and `relation_effects`.
        """
        c = self.config
        asked = (
            relations_named(c.relations)
            if relations is None
            else relations_named([r.name for r in relations], relations)
        )
        drawn = [
            relation_prompts(model, relation, n=c.n_prompts, n_held_out=c.n_held_out, seed=c.seed) for relation in asked
        ]
        contrasts = tuple(self._contrast(model, one) for one in c.contrasts)
        attention = relation_attentions(model, drawn, batch_size=c.batch_size, progress=progress)
        carriers = RelationHeads(attention, at_least=c.at_least, fdr=c.fdr, level=c.level, seed=c.seed, stated=c.chosen)
        splits = [split for split in attention if split is not Split.SELECT]
        effects: dict[Split, list[RelationEffects]] = {split: [] for split in splits}
        for nth, prompts in enumerate(drawn):
            for split in splits:
                progress(sum(map(len, effects.values())), len(splits) * len(drawn), f"ablation: {asked[nth].name}")
                effects[split].append(self._effects(model, prompts, split, carriers=carriers, nth=nth))
        progress(1, 1, "ablated")
        return AttentionRelationsResult(
            config=c,
            provenance=self.provenance(model),
            tasks=tuple(relation.task for relation in asked),
            attention=attention,
            effects={split: tuple(found) for split, found in effects.items()},
            contrasts=contrasts,
        )

    def _effects(
        self, model: HookedModel, prompts: RelationPrompts, split: Split, *, carriers: RelationHeads, nth: int
    ) -> RelationEffects:
        c = self.config
        reference, asked = prompts.to_ablate(split, seed=c.seed)
        return relation_effects(
            model, asked, reference=reference, metric=prompts.relation.metric, kinds=c.ablations,
            carriers=carriers.found[nth], n_random_sets=c.n_random_sets, seed=c.seed,
        )  # fmt: skip

    def _contrast(self, model: HookedModel, asked: ContrastConfig) -> tuple[RoleAttention, RoleAttention]:
        """Read attention in both sets; roles are those that templates enough have."""
        pairs = contrast_prompts(model, asked, seed=self.config.seed)
        rows = [rows_by_latent(pairs, asked.latent, value) for value in (asked.first, asked.second)]
        read = role_attention(model, pairs, query=asked.query, batch_size=self.config.batch_size)
        return read.rows(rows[0]), read.rows(rows[1])


def contrast_prompts(model: HookedModel, asked: ContrastConfig, *, seed: int) -> Pairs:
    """Draw the prompts of a contrast; of these, the corrupted ones are not used.

    Texts of the grammar are drawn as they come: pairs that must change the answer are a choice of cases on the brink.

    Raises: ValueError, as `pairs_for`.
    """
    kind, _, rest = asked.task.partition("/")
    if kind != PREFIX:
        return pairs_for(model, asked.task, asked.n_prompts, seed=seed, reserved=False)
    name, _, latent = rest.partition("/")
    return grammar_pairs(
        model, name, asked.n_prompts, seed=seed, latent=latent or None, changes_answer=False, reserved=False
    )
