"""A participant in one window, a wizard in another: taken over, answered, handed back, and a server that dies meanwhile."""

from datetime import timedelta

from playwright.sync_api import Browser, BrowserContext, Page, expect

from portal.console.guard import COOKIE
from study import takeover
from study.access import accounts, signing
from tests.e2e.conftest import until
from tests.e2e.faulty import ANSWER, WORDS, Site, Somebody, begin, send
from tests.e2e.test_access import assert_accessible


def researcher(site: Site, context: BrowserContext) -> str:
    """Sign `context` in at the console as somebody of the test's own; returns their name."""
    name = f"researcher {len(accounts.everybody(site.study)) + 1}"
    accounts.add(site.study, name, ["researcher"], by="test")
    context.add_cookies([{"name": COOKIE, "value": signing.begin(site.study, name), "url": site.server.url}])
    context.set_default_timeout(30_000)
    return name


def visit_of(who: Somebody) -> int:
    found: int = who.rows("SELECT id FROM visit WHERE participant = :code")[0]["id"]
    return found


def origins(who: Somebody) -> list[str]:
    found = who.rows(
        "SELECT origin FROM turn WHERE speaker = 'therapist'"
        " AND visit IN (SELECT id FROM visit WHERE participant = :code) ORDER BY number"
    )
    return [row["origin"] for row in found]


def take_over(page: Page, why: str) -> None:
    page.get_by_label("Why you take over").fill(why)
    page.get_by_role("button", name="Take over …").click()
    expect(page.get_by_role("heading", name="Take over")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Take over now").click()
    expect(page.get_by_role("heading", name="You write the answers")).to_be_visible()


def answer(page: Page, words: str) -> None:
    expect(page.locator("#coming")).to_have_text("The participant waits for your answer.")
    page.get_by_label("Your answer").fill(words)
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_label("Your answer")).to_have_value("")
    expect(page.locator("#turns li.person").last).to_contain_text(words)


def test_a_visit_is_taken_over_answered_handed_back_and_survives_a_kill(
    site: Site, phone: BrowserContext, chromium: Browser
) -> None:
    who, participant = site.somebody("chat"), phone.new_page()
    begin(participant, who)
    console = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    name = researcher(site, console)
    errors: list[str] = []
    console.on("weberror", lambda error: errors.append(str(error.error)))
    wizard, visit = console.new_page(), visit_of(who)
    wizard.goto(f"{site.server.url}/console/transcripts/visits/{visit}/live")
    expect(wizard.get_by_role("heading", name="The model writes the answers")).to_be_visible()
    assert_accessible(wizard)

    # The model was asked and says nothing: whoever takes over answers in its place.
    site.model.hold()
    send(participant, WORDS)
    expect(wizard.locator("#turns li.participant").last).to_contain_text(WORDS)
    until(lambda: site.model.asked == 1)
    take_over(wizard, "the model is silent")
    assert_accessible(wizard)
    answer(wizard, "That must have been a hard day.")
    expect(participant.locator("li.therapist .text").nth(1)).to_contain_text("That must have been a hard day.")
    participant.locator("li.therapist[data-number]").nth(1).wait_for()
    expect(participant.locator("#turns")).not_to_contain_text(ANSWER)

    # Handed back: the model answers.
    site.model.let()
    wizard.get_by_role("button", name="Hand back to the model").click()
    expect(wizard.get_by_role("heading", name="The model writes the answers")).to_be_visible()
    send(participant, "I thought that I would never pass it.")
    participant.locator("li.therapist[data-number]").nth(2).wait_for()
    expect(wizard.locator("#turns li").nth(4)).to_contain_text("Therapist, from")

    # Killed while it is taken over and an answer is owed: the visit is the model's again, and nobody waits.
    take_over(wizard, "to see how it goes on")
    send(participant, "I felt ashamed and sad, about 70.")
    expect(wizard.locator("#coming")).to_have_text("The participant waits for your answer.")
    wizard.get_by_label("Your answer").fill("Half an ans")
    site.server.kill()
    expect(wizard.locator("#said")).to_contain_text("No connection")
    site.restart()
    participant.locator("li.therapist[data-number]").nth(3).wait_for()
    expect(wizard.locator("#said")).to_have_text("The visit was handed back: the model answers.")
    ended = [(one.taken_by, one.released) for one in takeover.of_visit(site.study, visit)]
    assert ended == [(name, "handed back"), (name, "server stopped")]
    assert origins(who)[:2] == ["script", "person"]
    assert "person" not in origins(who)[2:]
    assert [speaker for speaker, _ in who.turns()] == ["therapist", *["participant", "therapist"] * 3]
    assert errors == []
    console.close()


def test_transcripts_are_found_replayed_and_free_of_violations(
    site: Site, phone: BrowserContext, chromium: Browser
) -> None:
    server, who, participant = site.server, site.somebody("chat"), phone.new_page()
    begin(participant, who)
    send(participant, WORDS)
    participant.locator("li.therapist[data-number]").nth(1).wait_for()
    site.clock.set(site.clock.now() + timedelta(seconds=40))
    send(participant, "I want to die.")
    until(lambda: who.state(day=1) == "stopped")
    context = chromium.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    researcher(site, context)
    page = context.new_page()
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        page.goto(f"{server.url}/console/transcripts/")
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("link", name="Search what was said").click()
        page.get_by_label("Words").fill('"maths exam" yester*')
        page.get_by_role("button", name="Search").click()
        expect(page.locator("mark").first).to_have_text("maths exam")
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("link", name=f"{who.code}, day 1, turn 2").click()
        expect(page.locator("#turn-2")).to_contain_text(WORDS)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    # The replay: by keyboard to its beginning, where nothing was said yet; then played at eight times the pace.
    turns = page.locator("#turns li")
    page.get_by_label("Moment").focus()
    page.keyboard.press("Home")
    expect(turns.last).to_have_css("visibility", "hidden")
    expect(page.locator("#clock")).to_contain_text("0:00 of")
    assert_accessible(page)
    page.get_by_label("Speed").select_option("8")
    page.get_by_label("Jump over pauses longer than").fill("1")
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(turns.last).to_have_css("visibility", "visible")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert errors == []

    # Without a script the whole transcript is there, and no player.
    plain = chromium.new_context(java_script_enabled=False)
    plain.add_cookies(context.cookies())  # type: ignore[arg-type]
    still = plain.new_page()
    still.goto(page.url)
    expect(still.locator("#replay")).to_be_hidden()
    expect(still.locator("#turns li").last).to_be_visible()
    plain.close()
    context.close()
