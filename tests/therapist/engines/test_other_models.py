"""Any local folder: small models of other kinds, made here with random weights and the default model's tokenizer.

What they write means nothing, and it must be the same with and without kept keys and values.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PretrainedConfig
from transformers.models import gemma2, llama, mamba, mistral

from therapist.engine import Engine, Prompt, Sampling, Utterance
from therapist.engines import open_engine
from therapist.engines._messages import as_messages
from therapist.engines._weights import find_model
from therapist.engines.local import LocalEngine
from therapist.errors import EngineError

STRICT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)

SIZES = {
    "vocab_size": 49152,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "eos_token_id": 2,
    "pad_token_id": 2,
}

KINDS: dict[str, Callable[[], torch.nn.Module]] = {
    "llama": lambda: llama.LlamaForCausalLM(llama.LlamaConfig(**SIZES)),
    "mistral with a sliding window": lambda: mistral.MistralForCausalLM(
        mistral.MistralConfig(**SIZES, sliding_window=48)
    ),
    "gemma2, sliding and full by turns": lambda: gemma2.Gemma2ForCausalLM(
        gemma2.Gemma2Config(**SIZES, sliding_window=48)
    ),
    "mamba, which is recurrent": lambda: mamba.MambaForCausalLM(
        mamba.MambaConfig(vocab_size=49152, hidden_size=32, num_hidden_layers=2, eos_token_id=2, pad_token_id=2)
    ),
}


def make(folder: Path, kind: str, template: str | None = "own", sampling: dict[str, object] | None = None) -> Path:
    """A folder with a small model of `kind`."""
    torch.manual_seed(3)
    where, _ = find_model("smollm2", lambda said: None)
    tokenizer = AutoTokenizer.from_pretrained(where)
    if template != "own":
        tokenizer.chat_template = template
    model = KINDS[kind]()
    config: PretrainedConfig = model.config
    assert config.vocab_size >= len(tokenizer)
    for name, value in (sampling or {}).items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)  # type: ignore[operator]
    tokenizer.save_pretrained(folder)
    return folder


def texts(engine: Engine, prompts: list[Prompt], conversation: str | None) -> tuple[list[str], int]:
    """Replies to `prompts`, of one conversation or each of its own, and the tokens that were not read again."""
    written, cached = [], 0
    for number, prompt in enumerate(prompts):
        generation = engine.generate(
            prompt, sampling=Sampling(max_tokens=10), seed=1, conversation=conversation or str(number)
        )
        written.append("".join(generation))
        cached += generation.usage.tokens_cached
    return written, cached


def bare(folder: Path, prompt: Prompt) -> str:
    """What the library writes by itself, with a cache of its own choice and the whole prompt read at once."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = tokenizer.apply_chat_template(as_messages(prompt), tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text + prompt.begin, add_special_tokens=False, return_tensors="pt")["input_ids"]
    written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False)
    return prompt.begin + str(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_visit_reads_alike_whatever_was_kept(kind: str, tmp_path: Path, visit: list[Prompt]) -> None:
    engine = LocalEngine.open(str(make(tmp_path, kind)), lambda said: None, precision="float32")
    kept, cached = texts(engine, visit[:4], "one visit")
    assert kept[0] == bare(tmp_path, visit[0])
    fresh = []
    for prompt in visit[:4]:
        engine.forget()
        fresh += texts(engine, [prompt], None)[0]
    engine.close()
    assert kept == fresh
    assert (cached > 0) == (kind != "mamba, which is recurrent")


def test_the_hash_is_of_the_weights(tmp_path: Path) -> None:
    folder = make(tmp_path / "one", "llama")
    identities = []
    for _ in range(2):
        engine = open_engine("transformers", model=str(folder))
        identities.append(engine.identity)
        engine.close()
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    assert identities[0].model == str(folder)
    assert identities[0].sha256 != identities[1].sha256


def test_a_template_that_refuses_system_messages_and_neighbours_of_one_role_is_served(
    tmp_path: Path, first_turn: Prompt
) -> None:
    engine = open_engine("transformers", model=str(make(tmp_path, "llama", STRICT)))
    twice = replace(first_turn, turns=(*first_turn.turns, Utterance("participant", "And I cried.")))
    assert texts(engine, [first_turn, twice], None)[0]
    engine.close()


def test_a_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no chat template"):
        open_engine("transformers", model=str(make(tmp_path, "llama", None)))


def test_what_its_makers_advise_for_drawing_does_not_leak_into_a_study(tmp_path: Path, first_turn: Prompt) -> None:
    plain = open_engine("transformers", model=str(make(tmp_path / "plain", "llama")))
    advised = open_engine(
        "transformers",
        model=str(
            make(
                tmp_path / "advised",
                "llama",
                sampling={"do_sample": True, "temperature": 3.0, "top_k": 2, "repetition_penalty": 1.9},
            )
        ),
    )
    assert texts(plain, [first_turn], None) == texts(advised, [first_turn], None)
    plain.close()
    advised.close()
