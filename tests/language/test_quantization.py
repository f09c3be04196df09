import sys
from importlib.util import find_spec

import pytest
import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import MissingPackageError, SpiritLMError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import LlamaWeights
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.quantization import Quantize, QuantizedLinear, check_quantization
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.transformers_llama import as_weights, new_network
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence

needs_torchao = pytest.mark.skipif(not find_spec("torchao"), reason="torchao is an extra: quantize")
CPU = torch.device("cpu")
PROMPTS = [
    parse_sequence(line)
    for line in ("[TEXT]Once upon a time", "[SPEECH][Hu3][Hu40]", "[TEXT]Lily and her mother went to the sea")
]
# a 4-bit weight has sixteen values between the least and the largest of its group
ERRORS: list[tuple[Quantize, float]] = [("int8", 0.02), ("int4", 0.15)]


def test_load_without_torchao_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[quantize\]'"):
        LanguageModel.load("nano", device="cpu", quantize="int8")


@needs_torchao
def test_check_quantization_refuses_devices_without_int4_kernels() -> None:
    check_quantization("int8", torch.device("mps"))
    with pytest.raises(SpiritLMError, match="not mps; int8 works"):
        check_quantization("int4", torch.device("mps"))


@needs_torchao
@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("quantize", "error"), ERRORS)
def test_quantized_linear_is_near_the_original_and_computes_rows_independently(
    quantize: Quantize, error: float, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(96, 128), torch.randn(96), torch.randn(40, 128, dtype=dtype)
    expected = torch.nn.functional.linear(x.float(), weight, bias)
    layer = QuantizedLinear(weight.to(dtype), bias.to(dtype), quantize)
    computed = layer(x)
    assert computed.dtype == dtype
    assert (computed - expected).norm() < error * expected.norm()
    for rows in (8, 16, 24):
        assert torch.equal(layer(x[:rows]), computed[:rows])


@needs_torchao
def test_quantized_linear_names_sizes_that_int4_can_not_divide() -> None:
    with pytest.raises(SpiritLMError, match="the model has one with 48 and 32; int8"):
        QuantizedLinear(torch.zeros(32, 48), None, "int4")
    QuantizedLinear(torch.zeros(32, 48), None, "int8")


@needs_torchao
@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_results_do_not_depend_on_the_batch(quantize: Quantize) -> None:
    lm = LanguageModel.load("nano", device="cpu", quantize=quantize)

    def request(prompt: Sequence) -> GenerationRequest:
        return GenerationRequest(prompt, "any", Sampling(max_new_tokens=8, seed=1))

    for size in (1, 2, 3):
        generations = [one.result() for _, one in lm.generate_stream(PROMPTS, request, batch_size=size)]
        if size == 1:
            alone = generations
        assert generations == alone
    scores = [lm.score(prompt) for prompt in PROMPTS]
    assert [score.result() for _, score in lm.score_stream(PROMPTS, lambda p: p)] == scores


@needs_torchao
@pytest.mark.parametrize(("quantize", "worse"), [("int8", 0.02), ("int4", 0.1)])
def test_scores_are_near_the_original(quantize: Quantize, worse: float) -> None:
    story = parse_sequence(
        "[TEXT]Once upon a time, there was a little girl named Lily. She loved to play with her toys in the park."
    )
    given = Sequence()
    whole = LanguageModel.load("nano", device="cpu").score(story, given).mean
    assert (
        abs(LanguageModel.load("nano", device="cpu", quantize=quantize).score(story, given).mean - whole)
        < worse
    )


@needs_torchao
@torch.inference_mode()
def test_layers_are_quantized_on_their_devices() -> None:
    """With one CPU as both devices. A model that is read is quantized layer by layer as well."""
    folder = find_checkpoint("nano").language_model(True)
    assert LanguageModel.read(folder, "cpu", quantize="int8").network.device == CPU

    def weights() -> LlamaWeights:
        torch.manual_seed(0)
        network = new_network(
            vocab_size=50, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64,
        )  # fmt: skip
        return as_weights(network)

    ids = torch.arange(9)
    stay, moved = PackedLlama(weights(), "int8"), PackedLlama(weights(), "int8", [CPU, CPU])
    assert torch.equal(stay.hidden_states([ids])[0], moved.hidden_states([ids])[0])
    unquantized = PackedLlama(weights(), None, [CPU]).hidden_states([ids])[0]
    assert (stay.hidden_states([ids])[0] - unquantized).norm() < 0.05 * unquantized.norm()
