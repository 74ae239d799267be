"""Forms on a slow line: what was chosen is kept through a reload and a lost connection, and counts once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, expect

from study.study import Study
from tests import trial
from tests.e2e.conftest import Server, begin, link_of


def rated(folder: Path) -> list[int]:
    study = Study.open(folder)
    values = [row["value"] for row in study.records.rows("SELECT value FROM rating ORDER BY id")]
    study.close()
    return values


def test_a_rating_given_without_a_connection_is_sent_once_when_it_is_back(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    page.goto(link_of(folder, server, "chat"))
    begin(page)
    page.locator("#value[type=range]").press("End")
    phone.set_offline(True)
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_role("status")).to_contain_text("No connection. What you chose is kept")
    assert rated(folder) == []
    phone.set_offline(False)
    expect(page.get_by_label("Your message")).to_be_visible()
    assert rated(folder) == [100]


def test_a_rating_whose_answer_got_lost_counts_once_and_the_page_goes_on(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    page.goto(link_of(folder, server, "worksheet"))
    begin(page)
    sent: list[str] = []

    def lose_the_first_answer(route: Any) -> None:
        sent.append(route.request.post_data)
        if len(sent) == 1:
            route.fetch(max_redirects=0)  # the server has taken it
            route.abort()
        else:
            route.continue_()

    page.route("**/rating", lose_the_first_answer)
    page.locator("#value[type=range]").press("End")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("textarea").first).to_be_visible()
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert rated(folder) == [100]


def test_answers_to_questions_survive_a_reload_and_mistakes_lead_to_the_fields(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    trial.write(folder)
    server = serve("serve", str(folder))
    study = Study.open(folder)
    page = phone.new_page()
    page.goto(server.url + study.join_path())
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("How old are you?").fill("20")
    page.get_by_label("female", exact=True).check()
    page.reload()
    expect(page.get_by_label("How old are you?")).to_have_value("20")
    expect(page.get_by_label("female", exact=True)).to_be_checked()
    page.get_by_role("button", name="Continue").click()
    # What is wrong is said once for the page, and the focus is on the first field to put right.
    expect(page.get_by_role("alert")).to_contain_text("Please answer the questions that are marked.")
    expect(page.locator('input[name="item-treatment"]').first).to_be_focused()
    page.locator("h1").click()
    page.get_by_role("alert").get_by_role("link", name="Are you in psychotherapy now?").click()
    expect(page.locator('input[name="item-treatment"]').first).to_be_focused()
    page.get_by_label("No", exact=True).check()
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_text("past 4 weeks").first).to_be_visible()
    [person] = study.people()
    forms = study.records.rows("SELECT measure FROM form WHERE person = ?", person.code)
    assert [row["measure"] for row in forms] == ["screening"]
    kept = page.evaluate("Object.keys(sessionStorage)")
    assert kept == []  # nothing stays in the tab once the server has it
    study.close()
