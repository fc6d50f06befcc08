import pytest

from mlcheck.importers import stated
from mlcheck.importers.stated import facts_of_hparams, facts_of_text, is_fact_text


def pairs(text: str) -> dict[str, object]:
    return {fact.key: fact.value for fact in facts_of_text(text.encode(), "tag")}


@pytest.mark.parametrize(
    "tag",
    [
        "args/text_summary",
        "model_config/text_summary",
        "Hyperparameters/text_summary",
        "hyperparameters/text_summary",
        "hparams/text_summary",
        "hparams",
        "run/args/text_summary",
    ],
)
def test_texts_that_state_settings(tag):
    assert is_fact_text(tag)


@pytest.mark.parametrize(
    "tag", ["Epoch 1", "sample/text_summary", "argsx/text_summary", "text_summary", "args/text_summary/x"]
)
def test_other_texts(tag):
    assert not is_fact_text(tag)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": {"c": "x", "d": [1]}, "e": null, "f": true}',
        '\n    {\n      "a": 1,\n      "b": {"c": "x"},\n      "f": true\n    }',
        '```json\n{"a": 1, "b": {"c": "x"}, "f": true}\n```',
    ],
)
def test_json_bare_indented_and_fenced(text):
    assert pairs(text) == {"a": 1.0, "b/c": "x", "f": True}


def test_json_numbers_that_are_no_settings_are_left_out():
    assert pairs('{"a": NaN, "b": 1e999, "c": 1' + "0" * 400 + ', "d": 2}') == {"d": 2.0}


def test_json_that_is_nested_deep_or_broken_gives_nothing():
    assert pairs('{"a":' * 100_000) == {}
    assert pairs('{"a": 1') == {}
    assert pairs("[1, 2]") == {}
    deep = '{"a":' * 60 + "1" + "}" * 60
    assert pairs(deep) == {}


def test_outer_keys_survive_the_limit():
    inner = ", ".join(f'"k{at}": {at}' for at in range(stated.FACTS_KEPT))
    found = pairs('{"table": {' + inner + '}, "learning_rate": 0.1}')
    assert len(found) == stated.FACTS_KEPT
    assert found["learning_rate"] == 0.1


def test_markdown_tables_with_and_without_outer_bars():
    assert pairs("##### Hyperparameters\nparameter|value\n-|-\nlr|0.005\nname|a|b\nnone|None\namp|True\n") == {
        "lr": 0.005,
        "name": "a|b",
        "amp": True,
    }
    assert pairs("|param|value|\n|-|-|\n|seed|1|\n|env_id|Hopper-v4|\n|torch_deterministic|False|") == {
        "seed": 1.0,
        "env_id": "Hopper-v4",
        "torch_deterministic": False,
    }


def test_indented_keys_of_ml_agents():
    text = (
        "\ttrainer_type:\tppo\n\thyperparameters:\t\n\t  batch_size:\t10\n"
        "\t  inner:\t\n\t    beta:\t1e-3\n\tmax_steps:\t500\n"
    )
    assert pairs(text) == {
        "trainer_type": "ppo",
        "hyperparameters/batch_size": 10.0,
        "hyperparameters/inner/beta": 0.001,
        "max_steps": 500.0,
    }


def test_prose_states_nothing():
    assert pairs("The model did well today.\nSecond line, no colon.") == {}


def test_a_text_beyond_the_limit_is_not_looked_into():
    assert pairs('{"a": 1, "b": "' + "x" * stated.LONGEST_TEXT + '"}') == {}


def test_a_payload_that_is_no_hparams_message_states_nothing():
    assert facts_of_hparams(b"\xff\xff\xff", "tag") == []
    assert facts_of_hparams(b"", "tag") == []
