"""The engine `openai` against a real server on this machine: HTTP, server-sent events, and what can go wrong on a wire.

What the server says comes from the engine `eliza`, or from the default model; its faults are made with sockets.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist.engine import Engine, Named, Priority, Prompt, Sampling, Utterance
from therapist.engines import open_engine
from therapist.engines._breaker import Pass
from therapist.engines._door import LeftAlone, Ticket
from therapist.engines.eliza import ElizaEngine
from therapist.engines.remote import RemoteEngine, begun
from therapist.errors import EngineError

SECRET = "sk-very-secret"
WORDS = "I lost my keys in the marmalade."


MIDWAY = ("cut", "ends early", "garbage", "nonsense", "error event", "hang")
"""The faults that come after a stream has begun well."""


@dataclass
class Server:
    """An OpenAI-compatible server. `fault` names what goes wrong with completions; `requests` is what it was asked."""

    engine: Engine
    fault: str = ""
    models: tuple[str, ...] = ("doctor-of-1966",)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    hung: threading.Event = field(default_factory=threading.Event)
    """Set when the server has fallen silent."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end, so that silent handlers go home."""
    refusals: list[int] = field(default_factory=list)
    """The status codes with which the next requests are refused, one each."""
    retry_after: str = ""
    ended: str = "stop"
    """What it says a reply ended with."""
    strict: threading.Barrier | None = None
    """When it is there, a request with an option that OpenAI does not know is refused: when all have come, and each
    when the one before has been served."""
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    gate: threading.Event | None = None
    """When it is there, every stream waits for it before its first word."""
    url: str = ""

    def handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                server.keys.append(self.headers["Authorization"])
                if server.fault == "no models":
                    self.answer(404, {"error": {"message": "not here"}})
                elif server.fault == "wrong key":
                    self.answer(401, {"error": {"message": f"wrong: {self.headers['Authorization']}"}})
                else:
                    self.answer(200, {"object": "list", "data": [{"id": name} for name in server.models]})

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(request)
                if server.refusals:
                    self.answer(server.refusals.pop(0), {"error": {"message": "marmalade"}})
                elif server.strict is not None and "timings_per_token" in request:
                    server.strict.wait(20)
                    server.turn.acquire(timeout=20)
                    self.answer(422, {"error": {"message": "unknown"}})
                elif server.fault == "500":
                    self.answer(500, {"error": {"message": f"cannot digest {request['messages']}"}})
                elif server.fault == "old" and "stream_options" in request:
                    self.answer(400, {"error": {"message": "stream_options: extra fields not permitted"}})
                elif server.fault == "silent":
                    self.fall_silent()
                else:
                    self.stream(request)

            def answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if server.retry_after:
                    self.send_header("Retry-After", server.retry_after)
                self.end_headers()
                self.wfile.write(data)

            def stream(self, request: dict[str, Any]) -> None:
                if server.gate is not None:
                    server.hung.set()
                    server.gate.wait(60)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for number, piece in enumerate(server.pieces(request)):
                    if number == 2 and server.fault in MIDWAY:
                        return self.go_wrong()
                    self.event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
                ended = "content_filter" if server.fault == "withheld" else server.ended
                self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": ended}]})
                if "stream_options" in request:
                    counts = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
                    self.event({"choices": [], "usage": {**counts, "prompt_tokens_details": {"cached_tokens": 4}}})
                self.chunk(b"data: [DONE]\n\n")
                self.chunk(b"")
                server.turn.release()

            def go_wrong(self) -> None:
                match server.fault:
                    case "cut":
                        self.connection.shutdown(socket.SHUT_RDWR)
                    case "ends early":
                        self.chunk(b"")
                    case "garbage":
                        self.chunk(b"data: {marmalade\n\n")
                    case "nonsense":
                        self.chunk(b"data: 42\n\n")
                    case "error event":
                        self.chunk(b'data: {"error": {"message": "out of memory at marmalade"}}\n\n')
                    case "hang":
                        self.fall_silent()
                self.close_connection = True

            def fall_silent(self) -> None:
                server.hung.set()
                server.released.wait(60)
                self.close_connection = True

            def event(self, body: dict[str, Any]) -> None:
                body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": server.models[0], **body}
                self.chunk(b"data: " + json.dumps(body).encode() + b"\n\n")

            def chunk(self, data: bytes) -> None:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        return Handler

    def pieces(self, request: dict[str, Any]) -> list[str]:
        """What the engine behind the server says to the messages, word by word."""
        said = tuple(
            Utterance("participant" if message["role"] == "user" else "therapist", message["content"])
            for message in request["messages"]
            if message["role"] != "system"
        )
        generation = self.engine.generate(
            Prompt(request["messages"][0]["content"], (), said, "", "statement"),
            sampling=Sampling(max_tokens=request["max_tokens"]),
            seed=request["seed"],
            conversation="wire",
        )
        return [word + " " for word in "".join(generation).split()]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers on ports that the system chooses."""
    running: list[tuple[ThreadingHTTPServer, Server]] = []

    def start(fault: str = "", *, port: int = 0, **settings: Any) -> Server:
        server = Server(settings.pop("engine", None) or ElizaEngine(), fault, **settings)
        http = ThreadingHTTPServer(("127.0.0.1", port), server.handler())
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        threading.Thread(target=http.serve_forever, args=(0.02,)).start()
        running.append((http, server))
        return server

    yield start
    for http, server in running:
        server.released.set()
        if server.gate is not None:
            server.gate.set()
        http.shutdown()
        http.server_close()


PROMPT = Prompt(
    system="You are a guide.",
    examples=(("I am late.", "It sounds like you are late."),),
    turns=(Utterance("therapist", "What happened?"), Utterance("participant", WORDS)),
    guidance="Say it back.",
    form="statement",
    begin="It sounds like",
)


def impatient(server: Server) -> RemoteEngine:
    """An engine whose pauses are of no length, unless the server asks for one."""
    return RemoteEngine(server.url, None, None, 20, print, draw=lambda: 0.0)


def until(holds: Callable[[], bool]) -> None:
    """Look until it holds; a test that waits in vain fails."""
    given_up = threading.Event()
    for _ in range(2000):
        if holds():
            return
        given_up.wait(0.005)
    raise AssertionError("It never held.")


def ask(engine: Engine, sampling: Sampling | None = None) -> Any:
    return engine.generate(PROMPT, sampling=sampling or Sampling(), seed=11, conversation="a")


def test_a_reply_streams_over_the_wire_and_is_accounted_for(serve: Callable[..., Server]) -> None:
    server = serve()
    engine = open_engine("openai", base_url=server.url)
    generation = ask(engine, Sampling(temperature=0.5, top_p=0.8, max_tokens=33, repetition_penalty=1.1))
    pieces = list(generation)
    assert len(pieces) > 2
    assert "keys" in "".join(pieces)
    usage = generation.usage
    assert (usage.tokens_in, usage.tokens_cached, usage.tokens_out) == (7, 4, 5)
    assert 0 < usage.first_token_ms <= usage.last_token_ms
    asked = server.requests[0]
    assert asked["messages"] == usage.messages
    assert {name: asked[name] for name in ("model", "temperature", "top_p", "max_tokens", "seed")} == {
        "model": "doctor-of-1966",
        "temperature": 0.5,
        "top_p": 0.8,
        "max_tokens": 33,
        "seed": 11,
    }
    assert asked["repetition_penalty"] == 1.1
    assert 'Begin with "It sounds like"' in asked["messages"][-1]["content"]
    engine.close()


@pytest.mark.parametrize(("ended", "cut"), [("stop", False), ("length", True)])
def test_a_reply_that_the_server_cut_off_is_said_to_be(serve: Callable[..., Server], ended: str, cut: bool) -> None:
    generation = ask(open_engine("openai", base_url=serve(ended=ended).url))
    assert "keys" in "".join(generation)
    assert generation.usage.tokens_out < Sampling().max_tokens
    assert generation.usage.cut == cut


@pytest.mark.parametrize("ended", ["abort", "error"])
def test_a_reply_that_the_server_gave_up_has_failed(serve: Callable[..., Server], ended: str) -> None:
    with pytest.raises(EngineError, match="in the middle of a reply"):
        list(ask(open_engine("openai", base_url=serve(ended=ended).url)))


def test_what_openai_does_not_know_is_not_sent_unless_it_is_set(serve: Callable[..., Server]) -> None:
    server = serve()
    list(ask(open_engine("openai", base_url=server.url)))
    assert "repetition_penalty" not in server.requests[0]


def test_the_default_model_can_be_had_over_the_wire(serve: Callable[..., Server], local: Engine) -> None:
    server = serve(engine=local)
    text = "".join(ask(open_engine("openai", base_url=server.url), Sampling(max_tokens=8)))
    assert len(text.split()) > 2


def test_the_model_is_the_one_the_server_names(serve: Callable[..., Server]) -> None:
    engine = open_engine("openai", base_url=serve(models=("a-model-2026", "another")).url)
    assert engine.identity.model == "a-model-2026"
    assert engine.identity.sha256 is None


def test_each_reply_has_the_name_by_which_the_server_answered(serve: Callable[..., Server]) -> None:
    told: list[str] = []
    server = serve(models=("m-2026-01",))
    engine = open_engine("openai", base_url=server.url, model="m", progress=told.append)
    assert "does not name the model m; it names m-2026-01" in told[0]
    first = ask(engine)
    list(first)
    server.models = ("m-2026-02",)
    second = ask(engine)
    list(second)
    assert [first.usage.model, second.usage.model] == ["m-2026-01", "m-2026-02"]
    assert engine.identity.model == "m"
    assert isinstance(engine, Named)
    assert engine.names == {"m-2026-01", "m-2026-02"}


def test_a_server_that_lists_no_models_will_do_when_the_study_names_one(serve: Callable[..., Server]) -> None:
    server = serve("no models")
    assert open_engine("openai", base_url=server.url, model="m").identity.model == "m"
    with pytest.raises(EngineError, match=r"does not say which models it has \(NotFoundError, status 404"):
        open_engine("openai", base_url=server.url)


def test_a_server_that_is_away_is_named(serve: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(EngineError, match=address):
        open_engine("openai", base_url=address)
    engine = open_engine("openai", base_url=address, model="m")  # it may be started later
    with pytest.raises(EngineError, match="APIConnectionError"):
        list(ask(engine))


def test_the_key_goes_to_the_server_and_nowhere_else(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_KEY", SECRET)
    server = serve("wrong key")
    with pytest.raises(EngineError, match="refuses the key in CLUSTER_KEY") as refused:
        open_engine("openai", base_url=server.url, api_key_env="CLUSTER_KEY")
    assert server.keys == [f"Bearer {SECRET}"]
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_server_is_asked_to_count_with_every_piece_and_one_that_refuses_that_at_the_end(
    serve: Callable[..., Server],
) -> None:
    willing, strict = serve(), serve(refusals=[400])
    for server in (willing, strict):
        engine = open_engine("openai", base_url=server.url)
        for _ in range(2):
            list(ask(engine))
    options = [request["stream_options"] for request in (*willing.requests, *strict.requests)]
    assert ["continuous_usage_stats" in one for one in options] == [True, True, True, False, False]


def test_several_find_out_at_once_what_a_server_takes(serve: Callable[..., Server]) -> None:
    server = serve(strict=threading.Barrier(4))
    engine = open_engine("openai", base_url=server.url)
    found: list[str] = []
    askers = [threading.Thread(target=lambda: found.append("".join(ask(engine)))) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert ["keys" in text for text in found] == [True] * 4


def test_a_key_that_happens_to_be_in_the_environment_is_not_sent(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    server = serve()
    open_engine("openai", base_url=server.url)
    assert server.keys == ["Bearer none"]


def test_an_older_server_is_asked_without_the_count_of_tokens_from_then_on(serve: Callable[..., Server]) -> None:
    server = serve("old")
    engine = open_engine("openai", base_url=server.url)
    for _ in range(2):
        generation = ask(engine)
        assert "keys" in "".join(generation)
        assert generation.usage.tokens_out == 0
    assert ["stream_options" in request for request in server.requests] == [True, True, False, False]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("500", "InternalServerError, status 500"),
        ("cut", "APIConnectionError|RemoteProtocolError"),
        ("ends early", "stopped in the middle"),
        ("garbage", "JSONDecodeError"),
        ("nonsense", "AttributeError|TypeError"),
        ("error event", "APIError"),
        ("withheld", "withheld"),
    ],
)
def test_a_fault_of_the_server_is_an_error_of_the_engine_without_anybody_s_words(
    serve: Callable[..., Server], fault: str, kind: str
) -> None:
    server = serve(fault)
    engine = open_engine("openai", base_url=server.url)
    with pytest.raises(EngineError, match=kind) as failed:
        list(ask(engine))
    assert "marmalade" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["silent", "hang"])
def test_a_server_that_falls_silent_is_left_after_the_time_out(serve: Callable[..., Server], fault: str) -> None:
    engine = open_engine("openai", base_url=serve(fault).url, timeout_s=0.3)
    with pytest.raises(EngineError, match="Timeout"):
        list(ask(engine))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_a_moment_can_mend_is_tried_again_before_the_first_word(serve: Callable[..., Server], status: int) -> None:
    server = serve(refusals=[status, status])
    generation = ask(impatient(server))
    assert "keys" in "".join(generation)
    assert len(server.requests) == 3
    assert generation.usage.retries == 2


def test_a_server_that_refuses_three_times_is_not_asked_a_fourth_time(serve: Callable[..., Server]) -> None:
    server = serve(refusals=[503] * 9)
    with pytest.raises(EngineError, match="status 503") as failed:
        list(ask(impatient(server)))
    assert len(server.requests) == 3
    assert "marmalade" not in str(failed.value)


def test_a_server_that_wants_to_be_left_alone_for_a_minute_is_not_waited_for(serve: Callable[..., Server]) -> None:
    server = serve(refusals=[429], retry_after="60")
    with pytest.raises(EngineError, match="status 429"):
        list(ask(impatient(server)))
    assert len(server.requests) == 1


def test_a_server_that_says_how_long_is_obeyed(serve: Callable[..., Server]) -> None:
    server = serve(refusals=[429], retry_after="1")
    generation = ask(impatient(server))
    assert "keys" in "".join(generation)
    assert generation.usage.first_token_ms >= 1000


def test_a_server_that_is_being_started_is_tried_again(serve: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    drawn: list[int] = []

    def start() -> float:  # between the first attempt, which was refused, and the second
        if not drawn:
            serve(port=port)
        drawn.append(1)
        return 0.0

    engine = RemoteEngine(f"http://127.0.0.1:{port}/v1", "m", None, 20, print, draw=start)
    generation = ask(engine)
    assert "keys" in "".join(generation)
    assert (generation.usage.retries, len(drawn)) == (1, 1)


def test_a_reply_is_not_begun_anew_when_words_of_it_were_handed_out(serve: Callable[..., Server]) -> None:
    server = serve("cut")
    generation = ask(impatient(server))
    read: list[str] = []
    with pytest.raises(EngineError):
        read.extend(generation)
    assert len(server.requests) == 1
    assert generation.usage.retries == 0


def test_closing_ends_the_pause_between_two_attempts(serve: Callable[..., Server]) -> None:
    server = serve(refusals=[503])
    paused = threading.Event()

    def draw() -> float:
        paused.set()
        return 1e6

    generation = ask(RemoteEngine(server.url, None, None, 20, print, draw=draw))
    reader = threading.Thread(target=lambda: list(generation))
    reader.start()
    assert paused.wait(10)
    generation.close()
    reader.join(10)
    assert not reader.is_alive()
    assert len(server.requests) == 1


def test_a_server_that_keeps_failing_is_left_alone_and_then_tried_by_one(serve: Callable[..., Server]) -> None:
    seconds = [100.0]
    server = serve("500")
    engine = RemoteEngine(server.url, None, None, 20, print, now=lambda: seconds[0])
    for _ in range(5):
        assert engine.left_alone_s is None
        with pytest.raises(EngineError, match="status 500"):
            list(ask(engine))
    assert engine.left_alone_s == 10
    server.fault = ""
    with pytest.raises(LeftAlone):
        list(ask(engine))
    assert len(server.requests) == 5
    seconds[0] += 10
    assert "keys" in "".join(ask(engine))
    assert engine.left_alone_s is None


def test_a_request_that_is_wrong_in_itself_says_nothing_against_the_server(serve: Callable[..., Server]) -> None:
    server = serve(refusals=[400] * 24)
    engine = impatient(server)
    for _ in range(8):
        with pytest.raises(EngineError, match="status 400"):
            list(ask(engine))
    assert engine.left_alone_s is None


def test_a_server_that_lets_everybody_wait_is_left_alone(
    serve: Callable[..., Server],
) -> None:
    server = serve("silent")
    engine = RemoteEngine(server.url, None, None, 0.2, print)
    for number in range(5):
        assert engine.left_alone_s is None
        generation = ask(engine)
        with pytest.raises(EngineError, match="Timeout"):
            list(generation)
        assert len(server.requests) == number + 1
    assert engine.left_alone_s is not None


def test_a_server_that_was_given_up_after_most_of_its_time_has_failed(serve: Callable[..., Server]) -> None:
    server = serve("silent")
    engine = RemoteEngine(server.url, None, None, 0.4, print)
    for _ in range(5):
        assert engine.left_alone_s is None
        generation = ask(engine)
        closer = threading.Timer(0.3, generation.close)  # just before the time-out or just after it: it is the same
        closer.start()
        with suppress(EngineError):
            list(generation)
        closer.join()
    assert engine.left_alone_s is not None


def test_those_who_wait_in_the_queue_are_told_at_once_that_the_server_is_left_alone(
    serve: Callable[..., Server],
) -> None:
    server = serve("silent")
    engine = RemoteEngine(server.url, None, None, 60, print, at_once=1)
    first, second = ask(engine), ask(engine)
    readers = [threading.Thread(target=lambda reply=reply: list(reply)) for reply in (first,)]
    found: list[str] = []

    def wait_in_vain() -> None:
        try:
            list(second)
        except LeftAlone:
            found.append("left alone")

    readers.append(threading.Thread(target=wait_in_vain))
    readers[0].start()
    assert server.hung.wait(10)
    readers[1].start()
    until(lambda: engine.door.waiting == 1)
    for _ in range(5):  # five others found it out meanwhile
        outside = Ticket("x", "interactive")
        outside.leave = Pass(probe=False)
        engine.door.tell(outside, False)
    readers[1].join(10)
    assert found == ["left alone"]
    first.close()
    readers[0].join(10)
    assert not readers[0].is_alive()


def test_so_many_at_once_and_the_rest_in_turn(serve: Callable[..., Server]) -> None:
    server = serve(gate=threading.Event())
    engine = RemoteEngine(server.url, None, None, 60, print, at_once=2)

    def wanted(conversation: str, priority: Priority = "interactive") -> Any:
        generation = engine.generate(PROMPT, sampling=Sampling(), seed=1, conversation=conversation, priority=priority)
        readers.append(threading.Thread(target=lambda: list(generation)))
        readers[-1].start()
        return generation

    readers: list[threading.Thread] = []
    inside = [wanted("a"), wanted("b")]
    until(lambda: len(server.requests) == 2)
    batch = wanted("rehearsal", "batch")
    until(lambda: engine.door.waiting == 1)
    greedy = [wanted("c"), wanted("c")]
    until(lambda: engine.door.waiting == 3)
    modest = wanted("d")
    until(lambda: engine.door.waiting == 4)
    assert [one.place for one in inside] == [0, 0]
    assert sorted(one.place for one in greedy) == [1, 3]
    assert (modest.place, batch.place) == (2, 4)
    modest.close()  # who leaves the queue makes room for those behind
    assert sorted(one.place for one in greedy) == [1, 2]
    assert batch.place == 3
    server.gate.set()
    for reader in readers:
        reader.join(10)
        assert not reader.is_alive()
    assert len(server.requests) == 5
    assert batch.usage.queue_ms > 0


@pytest.mark.parametrize("fault", ["silent", "hang"])
def test_hanging_up_frees_the_server_whether_it_has_answered_or_not(serve: Callable[..., Server], fault: str) -> None:
    server = serve(fault)
    engine = RemoteEngine(server.url, None, None, 60, print, at_once=1)
    generation = ask(engine)
    reader = threading.Thread(target=lambda: list(generation))
    reader.start()
    assert server.hung.wait(10)
    generation.close()
    reader.join(10)
    assert not reader.is_alive()
    assert engine.left_alone_s is None
    server.fault = ""
    assert "keys" in "".join(ask(engine))


def test_closing_wakes_a_reader_who_waits_for_the_server(serve: Callable[..., Server]) -> None:
    server = serve("hang")
    generation = ask(open_engine("openai", base_url=server.url, timeout_s=60))
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(generation))
    reader.start()
    assert server.hung.wait(10)
    generation.close()
    reader.join(10)
    assert not reader.is_alive()
    assert generation.usage.last_token_ms is not None


def test_hanging_up_on_one_reply_leaves_the_next_alone(serve: Callable[..., Server]) -> None:
    engine = open_engine("openai", base_url=serve().url)
    first = iter(ask(engine))
    next(first)
    first.close()
    generation = ask(engine)
    assert "keys" in "".join(generation)
    generation.close()
    assert "keys" in "".join(ask(engine))


def test_a_reply_that_was_closed_before_it_was_read_asks_for_nothing(serve: Callable[..., Server]) -> None:
    server = serve()
    generation = ask(open_engine("openai", base_url=server.url))
    generation.close()
    assert list(generation) == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It sounds like you lost them.", "It sounds like you lost them."),
        ("it sounds like you lost them.", "it sounds like you lost them."),
        ("you lost them.", "It sounds like you lost them."),
        ("You lost them.", "You lost them."),
        ("  It", "It"),
        ("", ""),
    ],
)
def test_a_beginning_is_put_before_words_that_write_on_from_it(written: str, said: str) -> None:
    for size in (1, 3, 100):
        pieces = [written[start : start + size] for start in range(0, len(written), size)]
        assert "".join(begun("It sounds like", iter(pieces))) == said


@given(st.lists(st.text(max_size=5)))
def test_without_a_beginning_a_reply_stays_as_it_is(pieces: list[str]) -> None:
    assert "".join(begun("", iter(pieces))) == "".join(pieces).lstrip()
