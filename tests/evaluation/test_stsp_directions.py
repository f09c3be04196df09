from spiritlm_cli.evaluation.stsp_directions import DIRECTIONS, input_of, output_of


def test_modalities_of_directions() -> None:
    assert [(input_of(one), output_of(one)) for one in DIRECTIONS] == [
        ("text", "text"), ("text", "speech"), ("speech", "text"), ("speech", "speech"),
    ]  # fmt: skip
