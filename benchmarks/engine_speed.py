"""How fast Bedside's engine writes, beside bare `generate`, transformers' own continuous batching, and llama.cpp.

The same prompts are given to all, in turn, each in a process of its own (`_contestants.py`): in each round one prompt
alone, and then sixteen at once. They begin with what all visits begin with, and ask for a long story, so that nobody
ends early. The likeliest token is taken, always. Reported are medians over rounds:

- alone: the tokens a second from the first token to the last, as somebody who reads along sees them; the time to the
  first token; and the tokens a second with that time in them;
- sixteen at once: all tokens by the time from asking until the last is there; how long it took until all had their
  first token; and the tokens a second from the first of all first tokens on;
- whether the prompt that was written alone got the same text in the middle of the sixteen.

llama.cpp is given the file of the model's package as it is (4 bits), and the same numbers in 8 bits and in single
precision, with one thread and with as many as there are processors; each file's better setting counts.

    python benchmarks/engine_speed.py [--llama DIR/bin/python] [--check] [--json FILE]

llama.cpp is in the package `xllamacpp`: in `.venv` with the packages of the tests, or in an environment of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import click
from _gguf import rewritten
from _measuring import give, line, machine, markdown, ratio
from rich.console import Console

LEAST = 1.0
"""So many times the tokens a second of bare `generate` Bedside is to write alone."""

LEAST_TOGETHER = 5.0
"""So many times its own tokens a second alone Bedside is to write for all at once."""

SETTINGS = (
    {"attention": "sdpa", "page_size": 32, "max_batch_tokens": 512},
    {"attention": "sdpa", "page_size": 256, "max_batch_tokens": 512},
    {"attention": "sdpa", "page_size": 32, "max_batch_tokens": 128},
    {"attention": "sdpa", "page_size": 32, "max_batch_tokens": 512, "allow_block_sharing": False},
    {"attention": "paged|eager", "page_size": 32, "max_batch_tokens": 512},
)
"""Settings of transformers' continuous batching; the first counts without `--search`.

Graphs and double buffers (`use_cuda_graph`, `use_async_batching`) need an accelerator: the library decides on them.
"""

TRIED = (("alone", ".1f"), ("together", ".1f"), ("together_first_s", ".2f"))
"""What is shown of each setting."""

BARE, OURS, THEIRS = "bare `generate`", "Bedside", "transformers' continuous batching"

SAME = "Bedside, in the precision of `generate`"

Rates = dict[str, float]


class Contestant:
    """A process that writes what it is told to."""

    def __init__(
        self, name: str, kind: str, model: str, settings: dict[str, Any], python: str = sys.executable
    ) -> None:
        self.name = name
        self.alone: list[dict[str, Any]] = []
        self.together: list[dict[str, Any]] = []
        script = Path(__file__).with_name("_contestants.py")
        command = [python, str(script), kind, model, json.dumps(settings)]
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        self.computes_in = str(self._read()["computes_in"])

    def write(self, order: dict[str, Any]) -> dict[str, Any]:
        """What came of an order, and when."""
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def _read(self) -> dict[str, Any]:
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            self._said.seek(0)
            raise click.ClickException(f"{self.name} has ended:\n{self._said.read()[-3000:]}")
        return dict(json.loads(said))


class Prompts:
    """Orders for prompts by number, as text and as the tokens of the model."""

    def __init__(self, folder: Path, tokens: int) -> None:
        from transformers import AutoTokenizer

        from therapist.exercise import load_exercise
        from therapist.persona import load_persona
        from therapist.prompting import opening_prompt

        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._system = opening_prompt(load_exercise("cognitive_restructuring"), load_persona("neutral")).system
        self._tokens = tokens

    def order(self, numbers: Sequence[int]) -> dict[str, Any]:
        said = [f"Please write a long story about a small town with {number} bridges. Begin now." for number in numbers]
        return {"system": self._system, "said": said, "ids": [*map(self._ids, said)], "tokens": self._tokens}

    def _ids(self, said: str) -> list[int]:
        messages = [{"role": "system", "content": self._system}, {"role": "user", "content": said}]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--rounds", default=5, show_default=True, help="Of all who are compared; medians count.")
@click.option("--tokens", default=32, show_default=True, help="Written for each prompt.")
@click.option("--at-once", default=16, show_default=True, help="Prompts at once.")
@click.option("--model", default="smollm2", show_default=True, help="Another model: a folder or a hub name.")
@click.option("--precision", help="Of Bedside's engine, if not the one that it chooses by its probe.")
@click.option("--device", default="cpu", show_default=True, help="Of bare generate and continuous batching.")
@click.option("--llama", type=click.Path(exists=True, dir_okay=False), help="A Python with xllamacpp: llama.cpp, too.")
@click.option("--search", is_flag=True, help="Try several settings of continuous batching, and take the best.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there, too.")
@click.option("--check", is_flag=True, help=f"Exit 1 under {LEAST:.1f} of generate, or {LEAST_TOGETHER:.0f} together.")
def main(file: Path | None, check: bool, rounds: int, **chosen: Any) -> None:
    """Have each write the same, alone and together, and print how fast each was."""
    console = Console(stderr=True)
    summary: dict[str, Any] = {"machine": machine(), "rounds": rounds, **chosen, "llama": bool(chosen["llama"])}
    with ExitStack() as stack:
        found, tried = _race(stack, console, rounds, **chosen)
    summary |= {"contestants": found, "continuous_batching": tried}
    alone, together = found[OURS]["alone"] / found[BARE]["alone"], found[OURS]["times_alone"]
    misses = []
    if alone < LEAST:
        misses.append(f"alone Bedside writes {alone:.2f} times the tokens a second of bare generate")
    if together < LEAST_TOGETHER:
        misses.append(f"all at once get {together:.2f} times the tokens a second of one")
    table = f"{line(summary['machine'])}\n\n{_table(found, rounds)}"
    if tried:
        head = ("setting of continuous batching", "alone, tokens/s", "all at once, tokens/s", "last first token, s")
        rows = [(f"`{text}`", *(f"{of[one]:{form}}" for one, form in TRIED)) for text, of in tried.items()]
        table += f"\n\n{markdown(head, rows)}"
    give(summary, table, file, misses, check)


def _race(
    stack: ExitStack,
    console: Console,
    rounds: int,
    tokens: int,
    at_once: int,
    model: str,
    precision: str | None,
    device: str,
    llama: str | None,
    search: bool,
) -> tuple[dict[str, dict[str, Any]], dict[str, Rates]]:
    """The figures of each, and of each setting of continuous batching that was tried."""
    from therapist.engines._weights import find_model

    folder, _ = find_model(model, console.print)
    prompts = Prompts(folder, tokens)

    def begin(*args: Any) -> Contestant:
        console.print(f"{args[0]} begins ...")
        one = Contestant(*args)
        stack.callback(one.close)
        one.write({**prompts.order(range(at_once)), "tokens": 4})  # caches and threads are there then
        return one

    racers = [
        begin(OURS, "bedside", model, {"precision": precision} if precision else {}),
        begin(BARE, "generate", str(folder), {"device": device}),
    ]
    if racers[0].computes_in != racers[1].computes_in:
        racers.append(begin(SAME, "bedside", model, {"precision": racers[1].computes_in}))
    tried: dict[str, Rates] = {}
    best = SETTINGS[0]
    for setting in SETTINGS if search else ():
        one = begin(f"{THEIRS}, {setting}", "continuous", str(folder), _whole(setting, at_once, device))
        tried[json.dumps(setting)] = _rates(
            one.write(prompts.order([50])), one.write(prompts.order(range(51, 51 + at_once)))
        )
        one.close()
    if tried:
        best = json.loads(max(tried, key=lambda text: tried[text]["together"]))
    racers.append(begin(THEIRS, "continuous", str(folder), _whole(best, at_once, device)))
    if llama:
        racers += _llamas(stack, llama, at_once, begin, prompts)
    for number in range(1, rounds + 1):
        one_prompt = [100 * number]
        others = [100 * number + other for other in range(1, at_once)]
        order = prompts.order([*others[: at_once // 2], *one_prompt, *others[at_once // 2 :]])
        for one in racers:
            one.alone.append(one.write(prompts.order(one_prompt)))
            one.together.append(one.write(order))
            got = _rates(one.alone[-1], one.together[-1])
            rates = f"{got['alone']:.1f} tokens/s alone, {got['together']:.1f} together"
            console.print(f"Round {number} of {rounds}, {one.name}: {rates}")
    bare = racers[1]
    return {one.name: _figures(one, bare, at_once // 2) for one in racers}, tried


def _whole(setting: dict[str, Any], at_once: int, device: str) -> dict[str, Any]:
    """With as many blocks as the prompts and answers need, and no more: on a CPU the cache is allocated at once."""
    blocks = 2 * at_once * (1 + 512 // int(setting["page_size"]))
    return {**setting, "num_blocks": blocks, "auto_switch_to_flash": device != "cpu", "device": device}


def _llamas(stack: ExitStack, python: str, at_once: int, begin: Any, prompts: Prompts) -> Iterator[Contestant]:
    """llama.cpp with each file of the model, at its better number of threads."""
    from therapist.engines._weights import packaged_gguf

    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    packed = packaged_gguf()
    for kind, says in (("", "4 bits"), ("Q8_0", "8 bits"), ("F32", "single precision")):
        path = rewritten(packed, place / f"{kind}.gguf", kind) if kind else packed
        trials = []
        for threads in sorted({1, len(os.sched_getaffinity(0))}):
            settings = {"threads": threads, "at_once": at_once}
            one = begin(f"llama.cpp, {says}, threads: {threads}", "llama", str(path), settings, python)
            trials.append((_rates(one.write(prompts.order([60])), None)["alone"], one))
        fastest = max(trials, key=lambda pair: pair[0])[1]
        for _, one in trials:
            if one is not fastest:
                one.close()
        yield fastest


def _rates(alone: dict[str, Any], together: dict[str, Any] | None) -> Rates:
    """Tokens a second, and seconds to the first token."""
    count, first, last = alone["counts"][0], alone["first"][0], alone["last"][0]
    rates = {"alone": ratio(count - 1, last - first), "alone_first_s": first, "alone_whole": ratio(count, last)}
    if together is not None:
        rates["together"] = ratio(sum(together["counts"]), max(together["last"]))
        writing = max(together["last"]) - min(together["first"])
        rates["together_writing"] = ratio(sum(together["counts"]) - len(together["counts"]), writing)
        rates["together_first_s"] = max(together["first"])
        rates["times_alone"] = ratio(rates["together"], rates["alone_whole"])
    return rates


def _figures(one: Contestant, bare: Contestant, middle: int) -> dict[str, Any]:
    rates = [_rates(alone, together) for alone, together in zip(one.alone, one.together, strict=True)]
    texts = [run["texts"][0].strip() for run in one.alone]
    return {
        **{key: median(rate[key] for rate in rates) for key in rates[0]},
        "times_generate": median(
            ratio(mine["alone"], _rates(run, None)["alone"]) for mine, run in zip(rates, bare.alone, strict=True)
        ),
        "computes_in": one.computes_in,
        "tokens_written": min(min(run["counts"]) for run in one.together),
        "same_together": sum(
            text == run["texts"][middle].strip() for text, run in zip(texts, one.together, strict=True)
        ),
        "same_as_generate": sum(text == run["texts"][0].strip() for text, run in zip(texts, bare.alone, strict=True)),
        "of_rounds": rates,
    }


def _table(found: dict[str, dict[str, Any]], rounds: int) -> str:
    head = (
        "who writes",
        "alone, tokens/s",
        "times `generate`",
        "first token, s",
        "with it, tokens/s",
        "all at once, tokens/s",
        "times alone",
        "last first token, s",
        "while writing, tokens/s",
        f"same text among others (of {rounds})",
        f"same as `generate` (of {rounds})",
    )
    rows = [
        (
            f"{name}, {of['computes_in']}" if name == OURS else name,
            f"{of['alone']:.1f}",
            f"{of['times_generate']:.2f}",
            f"{of['alone_first_s']:.2f}",
            f"{of['alone_whole']:.1f}",
            f"{of['together']:.1f}",
            f"{of['times_alone']:.1f}",
            f"{of['together_first_s']:.2f}",
            f"{of['together_writing']:.1f}",
            of["same_together"],
            of["same_as_generate"],
        )
        for name, of in found.items()
    ]
    return markdown(head, rows)


if __name__ == "__main__":
    main()
