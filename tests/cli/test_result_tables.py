import pytest

from interp_lab.cli.result_tables import show_result
from interp_lab.models import load_model
from interp_lab.steering import Steering, SteeringConfig


def steered(**changes):
    small = {
        "layers": [2], "hows": ["add"], "coefficients": [-1.0, 1.0], "n_contrast": 24, "n_prompts": 32,
        "n_held_out": 16, "n_neutral": 8, "n_capability": 16, "capabilities": ["facts"], "n_random": 40,
        "n_orthogonal": 2, "n_shuffled": 2, "n_priced": 2, "generated.n_prompts": 4, "generated.max_new_tokens": 4,
        "budget.capability_loss": 0.2, **changes,
    }  # fmt: skip
    return Steering(SteeringConfig().overlaid(small)).measure(load_model("organism", "cpu"))


@pytest.fixture(scope="module")
def found():
    return steered()


class TestSteering:
    def test_a_row_for_each_side_one_text_under_each_setting_and_the_summary(self, found, tmp_path, capsys):
        show_result(found, tmp_path)
        told = capsys.readouterr().out
        chosen = found.tables()["chosen"]
        assert len(chosen) == 2
        for row in chosen.to_dict("records"):
            assert f"add {row['coefficient']:+g} at 2" in told
            assert f"{row['effect']:.2f} ({row['effect_low']:.2f} {row['effect_high']:.2f})" in told
            assert f"{row['kl']:.3f}" in told
        written = found.tables()["continuations"].iloc[0]
        for name in written.index[1:]:
            assert f"  {name}: {written['opening']} ... {written[name]}" in told
        assert max(map(len, told.splitlines()[:6])) <= 80
        assert told.endswith(f"{found.summary()}\nkept in {tmp_path}\n")

    def test_without_written_texts_there_are_none(self, tmp_path, capsys):
        show_result(steered(generated=None), tmp_path)
        assert "..." not in capsys.readouterr().out
