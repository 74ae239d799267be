"""The walking study: `bedside demo`, one day in each arm, answered by the local model, and the export of it all."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from robot_node.client import Listener
from robot_node.running import spinning
from tests.e2e.conftest import Server, begin, link_of, rate

ANSWERS = {
    "situation": "I failed my maths exam yesterday and I keep thinking about it.",
    "thought": "I thought that I am not made for this course.",
    "feeling": "Ashamed and sad, about 70.",
    "evidence_for": "I have struggled with this subject for two years.",
    "evidence_against": "I passed all my other exams, even the hard one in spring.",
    "friend": "I would tell her that one bad exam does not say much about her.",
    "fairer_thought": "One bad exam does not mean that I cannot do it.",
    "feeling_now": "It is about 45 now.",
}


def picture(page: Page, name: str) -> None:
    """Keep a screenshot for the documentation, when it is being made: BEDSIDE_PICTURES=docs/pictures make test."""
    if folder := os.environ.get("BEDSIDE_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


def do_chat(page: Page, link: str) -> None:
    page.goto(link)
    picture(page, "today")
    begin(page)
    picture(page, "rating")
    rate(page, 62)
    for number, words in enumerate(ANSWERS.values(), 1):
        page.get_by_label("Your message").fill(words)
        page.get_by_role("button", name="Send").click()
        page.locator("li.therapist[data-number]").nth(number).wait_for()
        if number == 2:
            picture(page, "chat")
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="And now?")).to_be_visible()
    rate(page, 40)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def do_worksheet(page: Page, link: str) -> None:
    page.goto(link)
    rate(page, 50)
    for step, words in ANSWERS.items():
        form = page.locator(f'form[data-step="{step}"]')
        form.get_by_role("textbox").fill(words)
        form.get_by_role("button", name="Confirm this answer").click()
        expect(form.locator(".answer")).to_have_text(words)
        if step == "thought":
            expect(form.locator(".reply")).not_to_have_text("writing ...", timeout=30_000)
            picture(page, "worksheet")
    page.get_by_role("link", name="Continue").click(timeout=200_000)
    expect(page.get_by_role("heading", name="And now?")).to_be_visible()
    rate(page, 30)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def do_robot(page: Page, link: str, folder: Path, server: Server, domain: int) -> list[str]:
    """Read the code on the page, then hold the visit over ROS topics with the robot's node in another process."""
    page.goto(link)
    begin(page)
    picture(page, "robot")
    code = "".join(character for character in page.locator(".code").inner_text() if character.isdigit())
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    command = [sys.executable, "-m", "bedside", "robot", str(folder), "--url", server.url, "--once", "--no-sound"]
    robot = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    heard: list[str] = []
    answers = iter([" ".join(code), "seventy two", "yes", *ANSWERS.values(), "about fifty", "no, forty", "yes"])
    try:
        with spinning() as executor:
            listener = Listener()
            executor.add_node(listener)
            listener.wait_for_robot(30)
            states: list[str] = []
            while "idle" not in states:
                said, states = listener.until_listening(60)
                heard += said
                if "idle" not in states:
                    listener.speak(next(answers))
        assert robot.wait(20) == 0
    finally:
        robot.kill()
    assert list(answers) == []
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible(timeout=15_000)
    return heard


def table(out: Path, name: str) -> list[dict[str, str]]:
    with (out / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(600)
def test_one_day_in_each_arm_on_one_local_model(
    serve: Callable[..., Server], phone: BrowserContext, tmp_path: Path, ros_domain: int
) -> None:
    folder = tmp_path / "demo-study"
    server = serve("demo", "--folder", str(folder))
    do_chat(phone.new_page(), link_of(folder, server, "chat"))
    do_worksheet(phone.new_page(), link_of(folder, server, "worksheet"))
    heard = do_robot(phone.new_page(), link_of(folder, server, "robot"), folder, server, ros_domain)
    assert any("how much distress" in sentence for sentence in heard)
    assert "goodbye" in heard[-1]
    page = phone.new_page()
    page.set_viewport_size({"width": 1200, "height": 800})
    [password] = re.findall(r"signs in as demo with the password (\S+)", "".join(server.output))
    page.goto(server.url + "/console/")
    page.get_by_label("Your name").fill("demo")
    page.get_by_label("Your password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    picture(page, "researcher")

    out = tmp_path / "out"
    subprocess.run([sys.executable, "-m", "bedside", "export", str(folder), str(out)], check=True)
    arms = {row["code"]: row["arm"] for row in table(out, "participant")}
    visits = {row["id"]: row for row in table(out, "visit")}
    assert sorted(arms[visit["participant"]] for visit in visits.values()) == ["chat", "robot", "worksheet"]
    assert {visit["state"] for visit in visits.values()} == {"done"}
    ratings = {
        (arms[visits[row["visit"]]["participant"]], row["occasion"]): row["value"] for row in table(out, "rating")
    }
    assert ratings == {
        ("chat", "before"): "62",
        ("chat", "after"): "40",
        ("worksheet", "before"): "50",
        ("worksheet", "after"): "30",
        ("robot", "before"): "72",
        ("robot", "after"): "40",
    }
    models = set()
    for visit in visits.values():
        turns = [row for row in table(out, "turn") if row["visit"] == visit["id"]]
        said = [row["text"] for row in turns if row["speaker"] == "participant"]
        assert said == list(ANSWERS.values())
        numbers = {row["number"] for row in turns if row["speaker"] == "participant"}
        assert {row["reply_to"] for row in turns if row["reply_to"]} == numbers
        for row in turns:
            if row["reply_to"]:
                origin = json.loads(row["provenance"])
                models.add(origin["model_sha256"])
                assert origin["prompt"]
                assert origin["failures"] == []
    assert len(models) == 1  # one backend
