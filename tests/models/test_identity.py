import copy

import pytest

from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.models import declare_identity, identity_of, load_model
from tests.tiny import tiny_model


class TestIdentity:
    def test_of_a_model_built_elsewhere_is_unknown_and_the_way_out_is_named(self):
        with pytest.raises(ValueError, match=r"HookedTransformer carries no identity.*load_model.*declare_identity"):
            identity_of(tiny_model())

    def test_can_be_declared(self):
        model = tiny_model()
        declared = declare_identity(model, name="mine", processing="raw")
        assert declared == identity_of(model) == ModelIdentity("mine", WeightProcessing.named("raw"), 3, 16, 24)

    def test_declaring_again_replaces_it(self):
        model = tiny_model()
        declare_identity(model, name="mine", processing="raw")
        declare_identity(model, name="yours", processing="folded")
        assert identity_of(model).name == "yours"

    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    def test_goes_along_with_a_copy(self, directories, backend):
        model = load_model(directories["gpt2"], "cpu", backend=backend)
        assert identity_of(copy.deepcopy(model)) == identity_of(model)
