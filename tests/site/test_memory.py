"""What the site remembers of a reader: in their browser, until they have it forgotten."""

import pytest
from playwright.sync_api import expect

KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('course:')).length"


def leave_in_the_middle(page):
    page.goto("workflow/3-training/#the-training-loop")
    heading = page.locator("#the-training-loop")
    page.wait_for_function(
        "heading => heading.getBoundingClientRect().top < 100", arg=heading.element_handle()
    )
    page.goto("")


def test_a_new_reader_is_offered_the_beginning(open_page):
    page = open_page()
    expect(page.locator(".start")).to_contain_text("Start with Setup")
    assert page.evaluate(KEPT) == 0


def test_the_home_page_leads_back_to_where_the_reader_was(open_page):
    page = open_page()
    leave_in_the_middle(page)
    page.locator(".start").get_by_role("link", name="Training: The training loop").click()
    expect(page.locator("#the-training-loop")).to_be_in_viewport()


def test_a_tick_stays_and_is_counted(open_page):
    page = open_page("workflow/3-training/")
    page.get_by_role("checkbox", name="Done").nth(1).check()
    page.reload()
    boxes = page.get_by_role("checkbox", name="Done")
    assert [box.is_checked() for box in boxes.all()[:3]] == [False, True, False]
    page.goto("")
    expect(page.locator(".start")).to_contain_text("ticked 1 exercise.")


def test_a_tick_is_taken_back(open_page):
    page = open_page("workflow/1-data/")
    box = page.get_by_role("checkbox", name="Done").first
    box.check()
    box.uncheck()
    page.reload()
    expect(page.get_by_role("checkbox", name="Done").first).not_to_be_checked()


def test_exercises_of_two_pages_are_told_apart(open_page):
    page = open_page("workflow/1-data/")
    page.get_by_role("checkbox", name="Done").first.check()
    page.goto("workflow/2-model/")
    expect(page.get_by_role("checkbox", name="Done").first).not_to_be_checked()


def test_the_home_page_forgets_on_request(open_page):
    page = open_page()
    leave_in_the_middle(page)
    page.get_by_role("button", name="Forget").click()
    expect(page.locator(".start")).to_contain_text("Start with Setup")
    assert page.evaluate(KEPT) == 0


def test_a_page_with_exercises_forgets_on_request(open_page):
    page = open_page("workflow/1-data/")
    page.get_by_role("checkbox", name="Done").first.check()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("checkbox", name="Done").first).not_to_be_checked()
    assert page.evaluate(KEPT) == 0


@pytest.mark.parametrize("stored", ["{", "null", "[1]", '{"ticked": 3}', '{"place": {}}'])
def test_whatever_is_stored_the_page_works(open_page, stored):
    page = open_page()
    page.evaluate("stored => localStorage.setItem('course:/', stored)", stored)
    page.goto("workflow/1-data/")
    page.get_by_role("checkbox", name="Done").first.check()
    page.goto("")
    expect(page.locator(".start a").first).to_be_visible()
