"""The best attention that a machine can have, and why it cannot have the others."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from keyturn.models.errors import UnsupportedModel
from keyturn.models.nn.attention import by_flash, cpu_partial, cuda_partial, readable_partial
from keyturn.models.nn.attention_backends import (
    NAMES,
    ROW_BY_ROW,
    Machine,
    choose,
    partial_of,
    rows_agree_in,
    survey,
)
from keyturn.models.nn.config import ModelConfig
from keyturn.models.nn.cpu.step_attention import EveryStep
from support.models.native import native, processors
from support.models.tiny import oracle, ours

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ALL = frozenset({"triton", "flash-attn", "flash-attn-4"})


def config(head_dim: int = 64) -> ModelConfig:
    return ModelConfig.from_hf(oracle("qwen2", head_dim=head_dim).config.to_dict())


def missing(machine: Machine, **more) -> dict[str, str]:
    return {backend.name: backend.missing for backend in survey(machine, **more)}


def test_without_anything_torch_is_used_and_the_others_say_what_they_lack() -> None:
    lacking = missing(Machine(None, frozenset()))
    assert list(lacking) == list(NAMES)
    assert lacking["torch"] == lacking["readable"] == ""
    for name in ALL:
        assert "needs a CUDA GPU" in lacking[name]
        assert f"package {name} is not installed" in lacking[name]


@pytest.mark.parametrize(
    ("capability", "packages", "best"),
    [
        ((9, 0), ALL, "triton up to 32 tokens, flash-attn-4"),
        ((8, 6), ALL, "triton up to 32 tokens, flash-attn"),
        ((9, 0), {"triton"}, "triton up to 32 tokens, torch"),
        ((9, 0), set(), "torch"),
        ((7, 5), ALL, "readable"),
    ],
)
def test_the_best_of_what_is_there_is_chosen(
    capability: tuple[int, int], packages: set[str], best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "keyturn.models.nn.attention_backends.partial_of", lambda name, device: readable_partial
    )
    machine = Machine(capability, frozenset(packages))
    assert choose("auto", CUDA, torch.bfloat16, config(), machine).name == best


def test_where_several_tokens_cannot_share_their_products_that_is_said() -> None:
    expected = "torch" if rows_agree_in(config()) else f"torch, {ROW_BY_ROW}"
    assert choose("torch", CPU, torch.float32, config()).name == expected


def test_on_a_cpu_without_our_kernels_there_is_no_shortcut() -> None:
    chosen = choose("auto", CPU, torch.float32, config(), Machine(None, ALL))
    assert (chosen.partial, chosen.shortcut) == (cpu_partial, None)
    assert partial_of("torch", CUDA) is cuda_partial


@pytest.mark.skipif(not processors(), reason="our kernels need an x86 processor with AVX2")
def test_our_kernels_are_the_best_for_float32_on_a_processor() -> None:
    machine = Machine.of(CPU, native())
    chosen = choose("auto", CPU, torch.float32, config(), machine)
    assert (chosen.name, chosen.codes) == ("numba", True)
    assert isinstance(
        ours(oracle("qwen2", head_dim=64), shortcut=chosen.shortcut).shortcut, EveryStep
    )
    assert choose("auto", CPU, torch.bfloat16, config(), machine).name == "torch"
    assert (
        missing(machine, dtype=torch.float32, head_dim=80)["numba"]
        == "has no kernel for heads of 80"
    )


def test_a_backend_asked_for_by_name_is_used_or_refused_with_the_reason() -> None:
    assert choose("readable", CPU, torch.float32, config()).partial is readable_partial
    with pytest.raises(UnsupportedModel, match="'numba' cannot be had here: is for processors"):
        choose("numba", CUDA, torch.float32, config(), Machine((9, 0), ALL))
    with pytest.raises(UnsupportedModel, match="'numba' cannot be had here: needs x, really"):
        choose("numba", CPU, torch.float32, config(), Machine(None, ALL, "needs x, really"))
    with pytest.raises(UnsupportedModel, match=r"'triton' cannot be had here: needs a CUDA GPU"):
        choose("triton", CPU, torch.float32, config(), Machine(None, ALL))
    with pytest.raises(UnsupportedModel, match="no kernel for heads of 32"):
        choose("triton", CUDA, torch.bfloat16, config(32), Machine((9, 0), ALL))
    with pytest.raises(UnsupportedModel, match="there is no attention 'magic'"):
        choose("magic", CPU, torch.float32, config())


def test_float32_on_a_gpu_is_left_to_the_kernels_that_have_it() -> None:
    lacking = missing(Machine((9, 0), ALL), dtype=torch.float32)
    assert [name for name, reason in lacking.items() if not reason] == ["triton", "readable"]
    assert "needs bfloat16 or float16, not float32" in lacking["torch"]


def flash(
    q: Tensor, k: Tensor, v: Tensor, softmax_scale: float, causal: bool, return_lse: bool
) -> tuple[Tensor, Tensor]:
    """What flash-attn documents of `flash_attn_func`, in plain products."""
    assert return_lse
    parts = [
        readable_partial(query, keys.transpose(0, 1), values.transpose(0, 1), causal, softmax_scale)
        for query, keys, values in zip(q, k, v, strict=True)
    ]
    return torch.stack([p.out for p in parts]), torch.stack([p.lse.T for p in parts])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (14, 2), (6, 1)])
@pytest.mark.parametrize("tokens", [1, 2, 16])
def test_flash_attn_is_given_its_layout_and_its_answer_is_read(
    tokens: int, heads: int, kv_heads: int, causal: bool
) -> None:
    torch.manual_seed(0)
    query = torch.randn(tokens, heads, 64)
    keys, values = torch.randn(2, kv_heads, tokens if causal else 33, 64)
    expected = readable_partial(query, keys, values, causal, 0.125)
    found = by_flash(flash, return_lse=True)(query, keys, values, causal, 0.125)
    assert_close(found.out, expected.out, atol=1e-5, rtol=1e-5)
    assert_close(found.lse, expected.lse, atol=1e-5, rtol=1e-5)
