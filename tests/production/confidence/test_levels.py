import pytest

from interp_lab.config import ConfigError
from interp_lab.production.confidence import LEVELS, ConfidenceConfig, level_of
from interp_lab.production.confidence.levels import ranges, told


@pytest.mark.parametrize(
    ("probability", "word"),
    [(1.0, "almost certain"), (0.95, "almost certain"), (0.9499, "very likely"), (0.8, "very likely"),
     (0.5, "about as likely as not"), (0.2, "unlikely"), (0.0, "very unlikely")],
)  # fmt: skip
def test_a_word_is_said_from_its_least_probability_on(probability, word):
    assert level_of(probability, LEVELS) == word


def test_ranges_meet_and_leave_nothing_out():
    every = list(ranges(LEVELS).values())
    assert every[0][1] == 1.0
    assert every[-1][0] == 0.0
    assert [low for low, _ in every[:-1]] == [high for _, high in every[1:]]
    assert told("very likely", LEVELS) == "very likely (80 to 95%)"


def test_what_is_no_probability():
    with pytest.raises(ValueError, match=r"1\.2 is no probability"):
        level_of(1.2, LEVELS)


def test_files_may_keep_levels_in_any_order():
    config = ConfidenceConfig.from_mapping({"levels": {"a": 0.5, "b": 0.0, "c": 0.9}})
    assert list(config.levels) == ["c", "a", "b"]
    assert level_of(0.6, ConfidenceConfig.from_mapping(dict(sorted(config.as_dict().items()))).levels) == "a"


@pytest.mark.parametrize("levels", [{"sure": 0.5}, {"sure": 0.5, "not": 0.5, "no": 0.0}, {"sure": 0.5, "not": 0.1}])
def test_ranges_that_leave_something_out(levels):
    with pytest.raises(ConfigError, match="must be two or more different ones"):
        ConfidenceConfig.from_mapping({"levels": levels})


def test_a_share_of_less_than_one_prompt():
    with pytest.raises(ConfigError, match=r"strange=0\.001 is a share of n_calibrate=256 prompts"):
        ConfidenceConfig.from_mapping({"strange": 0.001})
