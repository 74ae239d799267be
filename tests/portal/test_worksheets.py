"""The worksheet before it is confirmed, as the server sees it: nothing is written over that was not seen."""

from collections.abc import Callable

from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser

Open = Callable[[str], Browser]


def begun(browser_in: Open, arm: str = "worksheet") -> Browser:
    browser = browser_in(arm)
    browser.rate("before", "10")
    browser.state()
    return browser


def draft(browser: Browser, words: str, base: str | None = None) -> tuple[int, dict[str, object]]:
    sent = {"visit": str(browser.state()["visit"]), "words": words}
    answer = browser.client.put(browser.path + "drafts/thought", json=sent if base is None else {**sent, "base": base})
    return answer.status_code, answer.get_json()


def drafts(study: Study) -> list[str]:
    return [row["text"] for row in study.records.rows("SELECT text FROM draft")]


def test_a_draft_is_kept_when_it_was_written_on_what_stands(browser_in: Open, study: Study) -> None:
    browser = begun(browser_in)
    assert draft(browser, "one", "") == (200, {"state": "exercise"})
    assert draft(browser, "two", "one") == (200, {"state": "exercise"})
    assert draft(browser, "two", "one") == (200, {"state": "exercise"})  # the same again, after a lost answer
    assert draft(browser, "three", "one") == (409, {"standing": "two", "confirmed": False})
    assert drafts(study) == ["two"]


def test_an_answer_is_confirmed_when_what_stands_was_seen(browser_in: Open, study: Study) -> None:
    browser = begun(browser_in)
    draft(browser, "written elsewhere", "")
    unseen = browser.send("mine", "t", step="thought", base="")
    assert (unseen.status_code, unseen.get_json()["standing"]) == (409, "written elsewhere")
    assert drafts(study) == ["written elsewhere"]
    seen = browser.send("mine", "t", step="thought", base="written elsewhere")
    assert (seen.status_code, seen.get_json()["words"]) == (201, "mine")
    # Whoever confirms once more is told what stands.
    assert browser.send("another", "t", step="thought", base="").get_json()["words"] == "mine"
    assert draft(browser, "later", "") == (409, {"standing": "mine", "confirmed": True})
    assert drafts(study) == []


def test_a_crisis_is_found_in_a_draft_that_is_not_taken(browser_in: Open, study: Study) -> None:
    browser = begun(browser_in)
    draft(browser, "one", "")
    draft(browser, "I want to die", "something else")
    assert browser.state()["state"] == "stopped"
    assert len(study.records.rows("SELECT id FROM safety_event")) == 1


def test_the_page_to_check_shows_what_waits_and_confirms_what_it_showed(browser_in: Open, study: Study) -> None:
    browser = begun(browser_in)
    assert "There is no answer yet" in browser.client.get(browser.path + "check").text
    draft(browser, "a line\nand another ", "")
    assert "a line\nand another" in browser.client.get(browser.path + "check").text
    visit = str(browser.state()["visit"])
    shown = {"visit": visit, "answer-thought": "what stood before"}
    changed = browser.client.post(browser.path + "check", data=shown)
    assert changed.status_code == 409
    assert "An answer was changed in another window meanwhile." in changed.text
    for _ in range(2):  # a form sends a line break as two characters, and may be sent twice
        sent = browser.client.post(browser.path + "check", data={**shown, "answer-thought": "a line\r\nand another "})
        assert sent.status_code == 303
    said = study.records.rows("SELECT text FROM turn WHERE speaker = 'participant'")
    assert said == [{"text": "a line\nand another"}]


def test_other_arms_have_no_worksheet(browser_in: Open) -> None:
    browser = begun(browser_in, "chat")
    assert draft(browser, "one")[0] == 404
    assert browser.client.get(browser.path + "check").status_code == 404


def test_a_form_of_a_visit_that_is_over_says_so(browser_in: Open, study: Study, clock: HandClock) -> None:
    browser = begun(browser_in)
    visit = browser.state()["visit"]
    clock.forward(days=2)
    answer = browser.client.put(browser.path + "drafts/thought", json={"visit": str(visit), "words": "late"})
    assert answer.status_code == 409
    assert "The time for this visit is over" in answer.get_json()["error"]
    assert drafts(study) == []
