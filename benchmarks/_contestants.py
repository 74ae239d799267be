"""Those who are compared by `engine_speed.py`, each in a process of its own: it reads orders and answers, line by line.

A process of its own has its own threads and settings, as each would have in use, and loading is over before anything is
measured. An order is a JSON object with a `system` text, what is `said` after it (one message for each prompt), `ids`
(the same prompts as tokens) and `tokens` (how many to write). All prompts of an order are written at once. The answer
has for each prompt the seconds until its `first` and `last` token, how many tokens were written (`counts`), and the
`texts`.

    python benchmarks/_contestants.py bedside|generate|continuous|llama MODEL [SETTINGS]

`llama` is started by a Python that has `xllamacpp`; nothing of ours is imported there.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

Order = dict[str, Any]
Tell = Callable[[str], None]
Writer = tuple[Callable[[Order], Order], str]
"""What writes, and the precision that it computes in."""


def bedside(model: str, settings: dict[str, Any]) -> Writer:
    """Bedside's engine, through `Engine.generate`."""
    from therapist.engine import Prompt, Sampling, Utterance
    from therapist.engines import open_engine

    engine = open_engine("transformers", model=model, **settings)

    def write(order: Order) -> Order:
        def one(said: str, ids: list[int], tell: Tell) -> int:
            generation = engine.generate(
                Prompt(order["system"], (), (Utterance("participant", said),), "", "statement"),
                sampling=Sampling(max_tokens=order["tokens"]),
                seed=1,
                conversation=said,
            )
            for piece in generation:
                tell(piece)
            if generation.usage.tokens_in != len(ids):
                raise RuntimeError(f"Bedside read {generation.usage.tokens_in} tokens, the others {len(ids)}.")
            return generation.usage.tokens_out

        return _each(order, one)

    return write, str(engine.identity.precision)


def generate(model: str, settings: dict[str, Any]) -> Writer:
    """The bare library: `generate` with a `TextIteratorStreamer` for one prompt, and one padded batch for several."""
    import torch
    from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

    loaded, tokenizer = _loaded(model, settings)

    class Clock(StoppingCriteria):  # type: ignore[misc] # transformers is untyped here
        """Tells when each token of a batch was there; stops nothing."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            self.times.append(time.perf_counter())
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def write(order: Order) -> Order:
        longest = max(map(len, order["ids"]))
        end = tokenizer.pad_token_id or 0
        rows = [[end] * (longest - len(ids)) + ids for ids in order["ids"]]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in order["ids"]]
        config = GenerationConfig(max_new_tokens=order["tokens"], do_sample=False, pad_token_id=end)
        clock = Clock()
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True) if len(rows) == 1 else None
        out: list[Any] = []

        def run() -> None:
            with torch.inference_mode():
                out.append(
                    loaded.generate(
                        torch.tensor(rows, device=loaded.device),
                        attention_mask=torch.tensor(mask, device=loaded.device),
                        generation_config=config,
                        stopping_criteria=StoppingCriteriaList([clock]),
                        streamer=streamer,
                    )
                )

        began = time.perf_counter()
        thread = threading.Thread(target=run)
        thread.start()
        for _ in streamer or ():
            pass
        thread.join()
        seconds = time.perf_counter() - began
        written = out[0][:, longest:].tolist()
        return {
            "seconds": seconds,
            "first": [clock.times[0] - began] * len(rows),
            "last": [clock.times[-1] - began] * len(rows),
            "counts": [len(ids) for ids in written],
            "texts": [tokenizer.decode(ids, skip_special_tokens=True) for ids in written],
        }

    return write, "float32"


def continuous(model: str, settings: dict[str, Any]) -> Writer:
    """The library's own continuous batching, its manager running all the time."""
    from transformers import GenerationConfig
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    attention = settings.pop("attention", "sdpa")
    device = {"device": settings.pop("device", "cpu")}
    loaded, tokenizer = _loaded(model, device)
    loaded.set_attn_implementation(attention)
    manager = loaded.init_continuous_batching(
        generation_config=GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0),
        continuous_batching_config=ContinuousBatchingConfig(**settings),
    )
    manager.start()

    def write(order: Order) -> Order:
        began = time.perf_counter()
        names = [
            manager.add_request(ids, max_new_tokens=order["tokens"], streaming=True, eos_token_id=-1)
            for ids in order["ids"]
        ]
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        written: dict[str, list[int]] = {}
        while len(written) < len(names):
            got = manager.get_result(timeout=120)
            if got is None or got.error:
                raise SystemExit(f"continuous batching failed: {got and got.error}")
            now = time.perf_counter() - began
            first.setdefault(got.request_id, now)
            last[got.request_id] = now
            if got.is_finished():
                written[got.request_id] = list(got.generated_tokens)
        return {
            "seconds": time.perf_counter() - began,
            "first": [first[name] for name in names],
            "last": [last[name] for name in names],
            "counts": [len(written[name]) for name in names],
            "texts": [tokenizer.decode(written[name], skip_special_tokens=True) for name in names],
        }

    return write, "float32"


def llama(model: str, settings: dict[str, Any]) -> Writer:
    """llama.cpp, as the package `xllamacpp` has it, with a place for each chat and one cache for all."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_parallel = settings["at_once"]
    params.n_ctx = 1024 * settings["at_once"]
    params.kv_unified = True
    params.verbosity = -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    server = xllamacpp.Server(params)

    def write(order: Order) -> Order:
        def one(said: str, ids: list[int], tell: Tell) -> int:
            count = 0

            def heard(chunk: str) -> bool:
                nonlocal count
                said = json.loads(chunk)
                if said["choices"][0]["finish_reason"] is None:
                    tell(said["choices"][0]["text"])
                count = said.get("usage", {}).get("completion_tokens", count)
                return False

            asked = {"prompt": ids, "n_predict": order["tokens"], "temperature": 0, "stream": True}
            server.handle_completions(json.dumps({**asked, "ignore_eos": True, "cache_prompt": True}), heard)
            return count

        return _each(order, one)

    return write, ""


def _each(order: Order, one: Callable[[str, list[int], Tell], int]) -> Order:
    """Have `one` write each prompt, each in a thread of its own, and time the pieces as they come."""
    began = time.perf_counter()
    number = len(order["said"])
    times: list[list[float]] = [[] for _ in range(number)]
    texts = [""] * number
    counts = [0] * number

    def run(place: int) -> None:
        def tell(piece: str) -> None:
            times[place].append(time.perf_counter() - began)
            texts[place] += piece

        counts[place] = one(order["said"][place], order["ids"][place], tell)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - began,
        "first": [of[0] for of in times],
        "last": [of[-1] for of in times],
        "counts": counts,
        "texts": texts,
    }


def _loaded(model: str, settings: dict[str, Any]) -> tuple[Any, Any]:
    """The model as anybody would load it, dense and in single precision, on all processors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers import logging as quiet

    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).to(settings.get("device", "cpu"))
    loaded.generation_config.eos_token_id = None
    return loaded.eval(), AutoTokenizer.from_pretrained(model)


def main() -> None:
    """Load, say so, and answer orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    name, model, *rest = sys.argv[1:]
    kinds = {"bedside": bedside, "generate": generate, "continuous": continuous, "llama": llama}
    write, computes_in = kinds[name](model, json.loads(rest[0]) if rest else {})
    print(json.dumps({"computes_in": computes_in}), file=answers, flush=True)
    for text in sys.stdin:
        print(json.dumps(write(json.loads(text))), file=answers, flush=True)
    os._exit(0)  # threads of libraries are not waited for


if __name__ == "__main__":
    main()
